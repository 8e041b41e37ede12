"""Which models run in a process of their own, and the start of those processes ahead of the load.

It needs nothing but the journal, so it can be done first of all: an engine takes longer to start
than this process to import what it needs itself.
"""

from typing import Final

from edge_runtime.contract import Engine, Provider
from edge_runtime.store import Slot

IN_A_WORKER: Final[frozenset[Engine | Provider]] = frozenset({"openvino"})
"""Who has crashed where models are replaced in place, as engine or as provider; see
`engines.isolated`."""


def is_apart(engine: str, provider: str | None) -> bool:
    """Whether a variant of `engine`, run by `provider`, has a process of its own."""
    return (provider or engine) in IN_A_WORKER


def begin_worker(slot: Slot | None) -> None:
    """Start the worker that loading `slot` will ask for, if it will ask for one."""
    if slot is not None and is_apart(slot.engine, slot.provider):
        from edge_runtime import workers

        workers.begin(slot.engine)
