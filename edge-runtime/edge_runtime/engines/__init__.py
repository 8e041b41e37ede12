"""One way to run a variant, whatever executes it.

An engine is a function that turns the verified bytes of a variant into a `Session`; heavy
packages are imported only inside it. `unavailable` says why an engine cannot be used here.
`isolated` runs one in a process of its own. NumPy is imported with the engine, not before.
"""

from typing import TYPE_CHECKING

from edge_runtime.engines.loading import (
    ENGINES,
    Session,
    begin_import,
    engine_version,
    load,
    unavailable,
    versions,
)
from edge_runtime.engines.tensors import InputTensor

if TYPE_CHECKING:
    from edge_runtime.engines.arrays import UInt8

__all__ = [
    "ENGINES",
    "InputTensor",
    "Session",
    "UInt8",
    "begin_import",
    "engine_version",
    "load",
    "unavailable",
    "versions",
]


if not TYPE_CHECKING:  # for which any name would be there

    def __getattr__(name: str) -> object:
        if name != "UInt8":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from edge_runtime.engines.arrays import UInt8

        return UInt8
