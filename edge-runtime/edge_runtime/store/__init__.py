"""What this box keeps: verified contents by digest, and which release each model runs."""

from edge_runtime.store.contents import Contents
from edge_runtime.store.journal import journal_stamp, load_journal, save_journal
from edge_runtime.store.slots import Barred, Heard, Journal, ModelSlots, Slot

__all__ = [
    "Barred",
    "Contents",
    "Heard",
    "Journal",
    "ModelSlots",
    "Slot",
    "journal_stamp",
    "load_journal",
    "save_journal",
]
