"""A checkpoint becomes variants for each kind of hardware, and each figure about them is proven.

Two stages, each a function from files to files: `compress` and `prove`. `open_model` takes a model
of any form, which `evaluate` judges. Engines, NNCF and torch
are imported when a name that needs them is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.compress.conversion import compress, load_variants
    from edgefactory.compress.engines import Loaded, Session, open_variant
    from edgefactory.compress.evaluating import EvaluateSettings, evaluate
    from edgefactory.compress.machine import host
    from edgefactory.compress.opening import Opening, open_model
    from edgefactory.compress.proof import prove
    from edgefactory.compress.settings import CompressSettings, ProveSettings

__all__ = [
    "CompressSettings",
    "EvaluateSettings",
    "Loaded",
    "Opening",
    "ProveSettings",
    "Session",
    "compress",
    "evaluate",
    "host",
    "load_variants",
    "open_model",
    "open_variant",
    "prove",
]

_HOMES = {
    "CompressSettings": "settings",
    "EvaluateSettings": "evaluating",
    "Loaded": "engines",
    "Opening": "opening",
    "ProveSettings": "settings",
    "Session": "engines",
    "compress": "conversion",
    "evaluate": "evaluating",
    "host": "machine",
    "load_variants": "conversion",
    "open_model": "opening",
    "open_variant": "engines",
    "prove": "proof",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
