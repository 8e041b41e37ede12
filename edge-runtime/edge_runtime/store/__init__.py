"""What this box keeps: verified contents by digest, and which release each model runs."""

from edge_runtime.store.contents import Contents
from edge_runtime.store.slots import (
    Barred,
    Heard,
    Journal,
    ModelSlots,
    Slot,
    load_journal,
    save_journal,
)

__all__ = [
    "Barred",
    "Contents",
    "Heard",
    "Journal",
    "ModelSlots",
    "Slot",
    "load_journal",
    "save_journal",
]
