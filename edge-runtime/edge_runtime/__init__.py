"""The edge runtime: pulls signed models, proves them on this box, runs them, reports.

`Runtime` and `infer` are loaded when they are first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.inference import Runtime, infer
    from edge_runtime.result import Decision, Result

__version__ = "0.1.0"
__all__ = ["Decision", "Result", "Runtime", "__version__", "infer"]

_HOMES = {"Decision": "result", "Result": "result", "Runtime": "inference", "infer": "inference"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"edge_runtime.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
