"""What this box keeps: verified contents by digest, and which release each model runs."""

from edge_runtime.store.contents import Contents
from edge_runtime.store.journal import load_journal, save_journal
from edge_runtime.store.slots import Journal, ModelSlots, Slot

__all__ = ["Contents", "Journal", "ModelSlots", "Slot", "load_journal", "save_journal"]
