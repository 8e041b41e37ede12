"""The machine that figures were measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import edge_runtime.machine
from edge_runtime.contract import Host

_PACKAGES: Final = ("numpy", "onnx", "onnxruntime", "openvino", "nncf", "tensorrt-rtx", "torch")


def host(packages: Sequence[str] = _PACKAGES) -> Host:
    """This machine: CPU model, the flags that matter, usable cores, versions of `packages`."""
    return edge_runtime.machine.host(packages)


def has_bf16(machine: Host) -> bool:
    """True when the CPU multiplies bf16 numbers itself."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(machine.flags))
