"""The machine that figures were measured on."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.contract import Host

PACKAGES = (
    "edgefactory-runtime",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "openvino",
    "tensorrt",
    "tensorrt-rtx",
)

# Instruction sets that decide how fast, and how, a CPU multiplies matrices.
_FLAGS = (
    "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip


def host(packages: Sequence[str] = PACKAGES) -> Host:
    """This machine: CPU model, the flags that matter, usable cores, versions of `packages`."""
    model, flags = _cpu()
    return Host(
        cpu=model,
        flags=tuple(flag for flag in _FLAGS if flag in flags),
        cores=usable_cores(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        versions={name: version for name in packages if (version := _version(name))},
    )


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> tuple[str, frozenset[str]]:
    """The CPU's model name and flags, as Linux tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine(), frozenset()
    entries: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        entries.setdefault(key.strip(), value.strip())
    flags = entries.get("flags", entries.get("Features", ""))
    name = entries.get("model name") or platform.processor() or platform.machine()
    return name, frozenset(flags.split())


def _version(package: str) -> str | None:
    from importlib import metadata  # 4 MB, which a process that only runs a model does not need

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
