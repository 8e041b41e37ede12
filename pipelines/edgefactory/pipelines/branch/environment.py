"""The slim environment of a branch: only `edgefactory-runtime`, never torch.

Installing is idempotent: a stamp in the environment holds the digest of everything that went
in (Python, pins, the runtime's own source), and the same digest means that nothing is done.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edgefactory.datasets import default_cache
from edgefactory.datasets.environments import (
    make_venv,
    pip_command,
    pip_install,
    run_installer,
)
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.screen import ProgressCallback
from edgefactory.pipelines.workspace import write_atomically

RUNTIME = "edgefactory-runtime"
STAMP = "edgefactory-stamp.json"

# Runs in the branch's Python, isolated from ours; prints one JSON object.
PROBE = """
import importlib.metadata as m, importlib.util as u, json, os, sys
total = 0
for top in {p for p in sys.path if p.endswith("site-packages")}:
    for folder, _, files in os.walk(top):
        total += sum(os.lstat(os.path.join(folder, f)).st_size for f in files)
print(json.dumps({
    "python": sys.version.split()[0],
    "packages": {d.metadata["Name"]: d.version for d in m.distributions()},
    "bytes": total,
    "torch": u.find_spec("torch") is not None,
    "factory": u.find_spec("edgefactory") is not None,
}))
"""


@dataclass(frozen=True)
class Installed:
    """What is in a branch's environment; `bytes` is the size of its site-packages."""

    python: Path
    version: str
    packages: Mapping[str, str]
    bytes: int
    changed: bool = False


@dataclass(frozen=True)
class _Wanted:
    """Where the runtime and its pins come from; None: from the package index by version."""

    source: Path | None
    pins: Path | None
    version: str

    def digests(self) -> dict[str, str]:
        """What the stamp holds: a digest of the pins, and one of the runtime itself."""
        pins = self.pins.read_bytes() if self.pins else b""
        return {
            "python": sys.version.split()[0],
            "pins": hashlib.sha256(pins).hexdigest(),
            "runtime": _tree_digest(self.source) if self.source else self.version,
        }


def default_venv() -> Path:
    """Where the branch's environment lies unless one is named: in the checkout, else cached."""
    source = _editable_source()
    if source is not None:
        return source.parent / ".venv-edge"
    return default_cache() / f"edge-venv-{importlib.metadata.version(RUNTIME)}"


def install(venv: Path, progress: ProgressCallback) -> Installed:
    """Make `venv` hold exactly the runtime with video, and prove that torch is not in it.

    Raises InputError when the folder holds something else, MissingError when a package or
    `venv` itself cannot be had.
    """
    wanted = _wanted()
    stamp, digests = venv / STAMP, wanted.digests()
    python = venv / "bin" / "python"
    before = _read_stamp(stamp) if python.exists() else {}
    if before != digests:
        progress(0, 4, "making the branch's environment")
        if not python.exists():
            make_venv(venv)
        stamp.unlink(missing_ok=True)
        same_base = all(before.get(key) == digests[key] for key in ("python", "pins"))
        if not same_base:
            progress(1, 4, "installing the branch's packages")
            _install_pins(python, wanted)
        progress(2, 4, "installing the runtime")
        _install_runtime(python, wanted)
    progress(3, 4, "looking at what is in it")
    found = probe(python)
    if before != digests:
        write_atomically(stamp, json.dumps(digests) + "\n")
    return Installed(found.python, found.version, found.packages, found.bytes, before != digests)


def probe(python: Path) -> Installed:
    """Ask the branch's `python` what it has.

    Raises MissingError when it does not run or has no runtime, InputError when it has torch
    or the factory, which a branch must not have.
    """
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise MissingError(
            f"{python} does not run ({error}); `edgefactory branch install` makes one"
        ) from error
    if RUNTIME not in found["packages"]:
        raise MissingError(f"{python} has no {RUNTIME}; run `edgefactory branch install`")
    for package, present in (("torch", found["torch"]), ("edgefactory", found["factory"])):
        if present:
            raise InputError(f"{python} has {package}, which a branch must not have")
    return Installed(
        python, found["python"], dict(sorted(found["packages"].items())), found["bytes"]
    )


def _wanted() -> _Wanted:
    source = _editable_source()
    pins = source.parent / "requirements" / "edge.txt" if source else None
    version = importlib.metadata.version(RUNTIME)
    return _Wanted(source, pins if pins and pins.is_file() else None, version)


def _editable_source() -> Path | None:
    """The runtime's source tree when it is installed from one (PEP 610), else None."""
    text = importlib.metadata.distribution(RUNTIME).read_text("direct_url.json")
    url = urlsplit(json.loads(text)["url"]) if text else None
    if url is None or url.scheme != "file":
        return None
    path = Path(unquote(url.path))
    return path if (path / "pyproject.toml").is_file() else None


def _install_pins(python: Path, wanted: _Wanted) -> None:
    if wanted.pins is not None:
        _pip(python, ["--require-hashes", "--no-deps", "--requirement", str(wanted.pins)])
    elif wanted.source is not None:
        _pip(python, [f"{wanted.source}[video]"])
    else:
        _pip(python, [f"{RUNTIME}[video]=={wanted.version}"])


def _install_runtime(python: Path, wanted: _Wanted) -> None:
    if wanted.source is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        build = ["wheel", *_isolation(), "--no-deps", "--wheel-dir", folder]
        run_installer([*pip_command(), *build, str(wanted.source)], f"{RUNTIME} could not be built")
        wheels = [str(path) for path in Path(folder).glob("*.whl")]
        _pip(python, ["--no-deps", "--force-reinstall", "--no-index", *wheels])


def _isolation() -> tuple[str, ...]:
    """Build with the factory's own build tool where it is here: that needs no network."""
    return ("--no-build-isolation",) if importlib.util.find_spec("hatchling") else ()


def _pip(python: Path, what: Sequence[str]) -> None:
    pip_install(python, what, "the branch's packages could not be installed")


def _read_stamp(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8")[:4096])
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _tree_digest(source: Path) -> str:
    """A digest of the runtime's source: every file that goes into its wheel."""
    total = hashlib.sha256()
    files = [source / "pyproject.toml", *sorted((source / "edge_runtime").rglob("*"))]
    for path in files:
        if path.is_file() and path.suffix != ".pyc":
            total.update(str(path.relative_to(source)).encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
