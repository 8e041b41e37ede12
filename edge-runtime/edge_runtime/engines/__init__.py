"""One way to run a variant, whatever executes it.

An engine is a function that turns the verified bytes of a variant into a `Session`; heavy
packages are imported only inside it. `unavailable` says why an engine cannot be used here.
`isolated` runs one in a process of its own.
"""

from edge_runtime.engines.loading import (
    ENGINES,
    InputTensor,
    Session,
    UInt8,
    begin_import,
    engine_version,
    load,
    unavailable,
    versions,
)

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
