# Two commands do everything: `make demo` and `make test`. The rest is for maintainers.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
WORKSPACE ?= workspace
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --require-hashes --no-deps
ONE_THREAD := OMP_NUM_THREADS=1# two processes of tests side by side; torch's threads would fight
OURS := pyproject.toml edge-runtime/pyproject.toml

.PHONY: demo test bench check newest pins clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo ## install, then footage in and a signed specialist running at the branch out
	$(BIN)/edgefactory demo --workspace $(WORKSPACE) $(DEMO)

test: $(VENV)/.test ## install, then format, lint, types, import rules, fast tests, component tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(ONE_THREAD) $(BIN)/python -m pytest -m "not component" -n 2
	$(ONE_THREAD) $(BIN)/python -m pytest -m component -n 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.demo ## list the benchmarks; `make bench B=NAME [FULL=1]` runs one
	$(BIN)/python benchmarks/run.py $(B)

newest: ## the fast tests against the newest versions that pyproject.toml allows
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade pip
	.venv-newest/bin/python -m pip install --quiet -e './edge-runtime[video]' -e '.[dev]'
	.venv-newest/bin/python -m pytest -m "not component"

pins: ## rewrite requirements/*.txt (needs uv)
	requirements/compile

clean: ## remove the environments and the demo's workspace
	rm -rf $(VENV) .venv-newest $(WORKSPACE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "edgefactory needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: requirements/cloud.txt $(OURS) | $(VENV)/bin/python
	@echo "Installing the pinned packages into $(VENV) (about 7 GB, a few minutes, once) ..."
	@$(PIP) -r requirements/cloud.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e ./edge-runtime -e .
	@touch $@

$(VENV)/.demo: requirements/tensorrt.txt $(VENV)/.base
	@$(PIP) -r requirements/tensorrt.txt || \
	    echo "TensorRT-RTX could not be installed here; the demo goes on without its engine."
	@touch $@

$(VENV)/.test: requirements/dev.txt $(VENV)/.demo
	@$(PIP) -r requirements/dev.txt
	@touch $@
