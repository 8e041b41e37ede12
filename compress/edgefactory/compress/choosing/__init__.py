"""From a checkpoint to the fastest files that still decide the same: all that was tried, a choice.

`choose` tries forms and precisions of the network, and of what it becomes when it learns again
(`Wishes.methods`), judges each on pictures, times each on the engine, and writes what it chose.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.compress.choosing.choice import choose
    from edgefactory.compress.choosing.document import Attempt, Certified, Compression
    from edgefactory.compress.choosing.timing import Here, There
    from edgefactory.compress.choosing.wishes import METHODS, Method, Wishes

__all__ = [
    "METHODS",
    "Attempt",
    "Certified",
    "Compression",
    "Here",
    "Method",
    "There",
    "Wishes",
    "choose",
]

_HOMES = {
    "METHODS": "wishes",
    "Attempt": "document",
    "Certified": "document",
    "Compression": "document",
    "Here": "timing",
    "Method": "wishes",
    "There": "timing",
    "Wishes": "wishes",
    "choose": "choice",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
