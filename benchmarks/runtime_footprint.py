"""What the runtime takes on a box: a fresh environment of its pins, a process with a 10 MB model.

`install_mb` counts the files of the wheels without byte-code, `compiled_mb` also the byte-code
that runs leave, `packages` the distributions that it needs. `ready_ms` is from the start of the
process to its first decision about a JPEG, the self-test included, `rss_mb` what is resident then,
the worker of OpenVINO included; medians of processes that find their byte-code, and for OpenVINO
the compiled model, on the disk. Neither a server nor a stream runs in them.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from edge_runtime import durable
from edge_runtime.contract import Engine, encode
from edge_runtime.state import Site, State
from edge_runtime.store import Journal, ModelSlots, save_journal
from edge_runtime.trust import highwater
from measured import Bound, Measured
from ten_megabytes import activate, picture

SAYS = "size, packages, memory and start of the runtime in an environment of its own"

_ROOT: Final = Path(__file__).parents[1]
_RUNS: Final = 7

_PROCESS: Final = """
import sys
from pathlib import Path
from edge_runtime import Runtime
runtime = Runtime(sys.argv[1])
runtime.infer(sys.argv[2])
print("ready", flush=True)
sessions = [runtime._host.get(name).session for name in runtime.models]
total = 0
for process in ["self", *(str(s.process) for s in sessions if hasattr(s, "process"))]:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        total += int(line.split()[1]) if line.startswith("VmRSS:") else 0
print(total)
"""


def run(_full: bool, /) -> Measured:
    """Install, look, start."""
    metrics: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _environment(folder / "venv")
        site = _site_packages(folder / "venv")
        metrics["install_mb"] = _megabytes(site)
        metrics["packages"] = len(list(site.glob("*.dist-info")))
        metrics |= _started(python, folder, "onnxruntime", "")
        metrics["compiled_mb"] = _megabytes(site)
        _install(python, _pins("cloud.txt", only="openvino"), folder)
        metrics["openvino.install_mb"] = round(_megabytes(site) - metrics["compiled_mb"], 1)
        metrics |= _started(python, folder, "openvino", "openvino.")
    bounds = {
        "install_mb": Bound("at_most", 160),
        "packages": Bound("at_most", 14),
        "rss_mb": Bound("at_most", 90),
        "ready_ms": Bound("at_most", 250),
        "openvino.ready_ms": Bound("at_most", 400),
    }
    return Measured(metrics, bounds=bounds)


def _environment(venv: Path) -> Path:
    """An environment with the pins of the branch, less the video extra, and this very runtime."""
    from edgefactory.datasets.environments import make_venv

    make_venv(venv)
    python = venv / "bin" / "python"
    _install(python, _pins("edge.txt", without="av"), venv)
    shutil.copytree(
        _ROOT / "edge-runtime" / "edge_runtime",
        _site_packages(venv) / "edge_runtime",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return python


def _pins(file: str, only: str = "", without: str = "") -> str:
    """The pins of `file` with their hashes: of package `only`, or all but `without`."""
    lines, kept = [], False
    for line in (_ROOT / "requirements" / file).read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            name = line.partition("==")[0]
            kept = name == only if only else name != without
        if kept:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _install(python: Path, pins: str, folder: Path) -> None:
    from edgefactory.datasets.environments import pip_install

    file = folder / "pins.txt"
    file.write_text(pins, encoding="utf-8")
    what = ["--no-compile", "--require-hashes", "--no-deps", "--requirement", str(file)]
    pip_install(python, what, "the runtime's packages could not be installed")


def _started(python: Path, folder: Path, engine: Engine, prefix: str) -> dict[str, float]:
    state, jpeg = State(folder / engine), folder / "picture.jpg"
    _activate(state, engine)
    Image.fromarray(picture(0)).resize((640, 480)).save(jpeg)
    command = [str(python), "-I", "-c", _PROCESS, str(state.folder), str(jpeg)]
    found = [_once(command) for _ in range(_RUNS + 1)][1:]  # the first one compiles
    return {
        f"{prefix}ready_ms": round(statistics.median(ready for ready, _ in found), 1),
        f"{prefix}rss_mb": round(statistics.median(memory for _, memory in found), 1),
    }


def _activate(state: State, engine: Engine) -> None:
    """A site at which the classifier is active, as after an update."""
    slot = activate(state, engine, 1).slot
    zero = "0" * 64
    durable.make_folder(state.trust)
    highwater.save(state.trust, highwater.Marks())
    state.site_file.write_bytes(encode(Site("site/1", "bench", "", "http://bench", zero, zero)))
    save_journal(state.journal, Journal(models={"ten-megabytes": ModelSlots(slot)}))


def _once(command: Sequence[str]) -> tuple[float, float]:
    """Milliseconds to ready, and MB then."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        seconds = time.perf_counter() - started
        memory = process.stdout.readline()
    if ready != "ready\n" or process.returncode:
        sys.exit(f"the runtime did not start: exit code {process.returncode}")
    return seconds * 1000, int(memory) / 1024


def _site_packages(venv: Path) -> Path:
    return next((venv / "lib").glob("python3*/site-packages"))


def _megabytes(folder: Path) -> float:
    """Without pip and what it brings, which the runtime does not need."""
    tools = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
    files = (
        file
        for file in folder.rglob("*")
        if file.is_file() and not file.relative_to(folder).parts[0].startswith(tools)
    )
    return round(sum(file.lstat().st_size for file in files) / 1e6, 1)
