"""OpenVINO's core by its Python package, for the factory: one for as long as the process lives.
(The runtime has its own by the C API, `engines.openvino_c`.)

Each core with a CPU plugin gives the thread that made it another stack for signals, and takes it
back when the core is dropped (2026.4, for AMX). Dropped on another thread, as by the garbage
collector, it leaves the first one with memory that is gone: its next signal, a Ctrl-C, ends the
process by a segmentation fault. A core that stays never does.
"""

import functools
import sys
from types import ModuleType
from typing import Any


def quiet_openvino() -> ModuleType:
    """OpenVINO, imported without the telemetry package that would start a thread.

    Raises ImportError where it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", ModuleType("openvino_telemetry"))
    import openvino
    import openvino.properties

    module: ModuleType = openvino
    return module


@functools.cache
def openvino_core() -> Any:
    """The process's `openvino.Core`; safe to use from several threads. Raises ImportError."""
    return quiet_openvino().Core()
