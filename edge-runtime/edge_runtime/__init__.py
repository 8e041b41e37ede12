"""The edge runtime: pulls signed models, proves them on this box, runs them, reports.

`Runtime` and `infer` are loaded when they are first used.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.inference import Runtime, infer
    from edge_runtime.result import Decision, Result

__version__ = "0.1.0"
__all__ = ["Decision", "Result", "Runtime", "__version__", "infer"]

# From 1.29 on ONNX Runtime tells Microsoft what it loads and on which box, unless this is set
# before its first session. Nothing leaves a branch that its owner did not ask for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {"Decision": "result", "Result": "result", "Runtime": "inference", "infer": "inference"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"edge_runtime.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
