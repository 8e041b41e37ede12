"""The doctor's questions, each answered by a finding: good, optional and missing, or missing."""

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from edgefactory.compress import host
from edgefactory.datasets import default_cache
from edgefactory.datasets.errors import EdgefactoryError
from edgefactory.pipelines.branch import default_venv, probe
from edgefactory.pipelines.doctor import hardware
from edgefactory.pipelines.doctor.engines import try_engine
from edgefactory.pipelines.screen import ProgressCallback, size

PACKAGES = (
    "edgefactory",
    "edgefactory-runtime",
    "torch",
    "torchvision",
    "lightning",
    "onnx",
    "onnxscript",
    "nncf",
    "mlflow",
    "dvc",
    "tuf",
    "label-studio-sdk",
    "av",
)
REMEDIES = {
    "onnxruntime": "pip install onnxruntime",
    "openvino": "pip install openvino",
    "tensorrt-rtx": "pip install tensorrt-rtx; without it the line makes no TensorRT engine",
}
NEEDED_BYTES = 2 * 10**9  # a workspace with its caches

State = Literal["ok", "optional", "missing"]


class Finding(Struct, frozen=True):
    """One answer. `optional` is something that is not here and that the line can do without;
    `remedy` says how to get what is not here."""

    group: Literal["packages", "hardware", "engines", "tools", "storage"]
    name: str
    state: State
    found: str
    remedy: str = ""


def examine(progress: ProgressCallback) -> tuple[Finding, ...]:
    """Look at everything; takes some seconds, since the engines are really run."""
    findings: list[Finding] = []
    steps = (_packages, _hardware, _engines, _tools, _storage)
    for done, step in enumerate(steps):
        progress(done, len(steps), step.__name__.strip("_"))
        findings += step()
    return tuple(findings)


def _packages() -> Iterator[Finding]:
    yield Finding("packages", "python", "ok", f"{platform.python_version()} at {sys.executable}")
    for name in PACKAGES:
        try:
            yield Finding("packages", name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("packages", name, "missing", "not installed", f"pip install {name}")


def _hardware() -> Iterator[Finding]:
    machine = host()
    yield Finding("hardware", "cpu", "ok", f"{machine.cpu}; {', '.join(machine.flags)}")
    yield Finding("hardware", "cores", "ok", str(machine.cores))
    yield Finding("hardware", "memory", "ok", size(hardware.memory_bytes()))
    yield _device("nvidia gpu", hardware.nvidia(), "the NVIDIA driver, to run TensorRT engines")
    yield _device("intel gpu", hardware.intel_gpus(), "Intel's compute runtime, for OpenVINO's GPU")


def _device(name: str, found: tuple[str, ...], remedy: str) -> Finding:
    if found:
        return Finding("hardware", name, "ok", ", ".join(found))
    return Finding("hardware", name, "optional", "none", f"where there is one: {remedy}")


def _engines() -> Iterator[Finding]:
    for name in ("onnxruntime", "openvino", "tensorrt-rtx"):
        works, said = try_engine(name)
        absent: State = "optional" if name == "tensorrt-rtx" else "missing"
        remedy = "" if works else REMEDIES[name]
        yield Finding("engines", name, "ok" if works else absent, said, remedy)


def _tools() -> Iterator[Finding]:
    yield _tool("git", "optional", "apt-get install git; lineage then names the commit")
    yield _tool("apt-get", "optional", "without it the public clip comes over HTTPS")
    yield _tool("dpkg-deb", "optional", "without it the public clip comes over HTTPS")
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--version"], capture_output=True, text=True, check=False
    )
    works = done.returncode == 0
    said = done.stdout.strip() if works else "does not start"
    yield Finding(
        "tools", "dvc", "ok" if works else "missing", said, "" if works else "pip install dvc"
    )
    yield _branch()


def _tool(name: str, absent: State, remedy: str) -> Finding:
    path = shutil.which(name)
    return (
        Finding("tools", name, "ok", path)
        if path
        else Finding("tools", name, absent, "not on the path", remedy)
    )


def _branch() -> Finding:
    python = default_venv() / "bin" / "python"
    if not python.exists():
        remedy = "edgefactory branch install; the demo does it"
        return Finding("tools", "branch environment", "optional", "not made yet", remedy)
    try:
        found = probe(python)
    except EdgefactoryError as error:
        return Finding(
            "tools", "branch environment", "optional", str(error), "edgefactory branch install"
        )
    said = f"{python}: {len(found.packages)} packages, {size(found.bytes)}"
    return Finding("tools", "branch environment", "ok", said)


def _storage() -> Iterator[Finding]:
    cache = default_cache()
    files = sorted(path for path in cache.glob("*") if path.is_file()) if cache.is_dir() else []
    held = ", ".join(f"{path.name} ({size(path.stat().st_size)})" for path in files)
    yield Finding("storage", "cache", "ok", f"{cache}: {held or 'empty; filled when needed'}")
    free = shutil.disk_usage(Path.cwd()).free
    enough = free >= NEEDED_BYTES
    yield Finding(
        "storage",
        "disk",
        "ok" if enough else "missing",
        f"{size(free)} free here",
        "" if enough else f"free {size(NEEDED_BYTES - free)}",
    )
