"""TensorRT's two flavours: ordinary TensorRT and TensorRT-RTX. Nearly one API, two packages."""

import importlib
import importlib.util
from types import MappingProxyType, ModuleType

from edge_runtime.contract import Flavour
from edge_runtime.errors import MissingError

FLAVOURS = MappingProxyType(
    {
        "tensorrt": ("tensorrt", "it comes with JetPack; elsewhere pip install tensorrt"),
        "tensorrt-rtx": ("tensorrt_rtx", "pip install tensorrt-rtx"),
    }
)


def unavailable(flavour: Flavour) -> str | None:
    """Why `flavour` cannot be used here; None when it can."""
    package, hint = FLAVOURS[flavour]
    return None if importlib.util.find_spec(package) else f"{flavour} is not installed: {hint}"


def tensorrt(flavour: Flavour) -> ModuleType:
    """The package of `flavour`. Raises MissingError when it is not installed."""
    reason = unavailable(flavour)
    if reason is not None:
        raise MissingError(reason)
    return importlib.import_module(FLAVOURS[flavour][0])


def version(flavour: Flavour) -> str:
    """The version of `flavour` as it says itself: JetPack's has no distribution's metadata."""
    found: str = tensorrt(flavour).__version__
    return found
