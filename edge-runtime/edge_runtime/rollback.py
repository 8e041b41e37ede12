"""An operator's way back: to the previous release, and not again to the one that is left."""

import time

from edge_runtime.errors import MissingError
from edge_runtime.outbox import write_report
from edge_runtime.running import of_slot, open_active
from edge_runtime.state import State
from edge_runtime.store import Barred, Slot, load_journal, save_journal
from edge_runtime.store.slots import bar, go_back


def roll_back(state: State, model: str, why: str, threads: int) -> tuple[Slot, Slot]:
    """Make the previous release of `model` active, once it has passed its self-test again; what is
    active now and what was left.

    The one left comes back only by `once --retry`; a newer release is taken as ever. Raises
    MissingError when there is no previous one, RefusedError when it may not run or decides
    otherwise now, StorageError.
    """
    site = state.site()
    with state.lock():
        journal = load_journal(state.journal)
        slots = journal.of(model)
        left, back = slots.active, slots.previous
        if left is None or back is None:
            raise MissingError(
                f"{model} has no previous release here to go back to; `edge-runtime status` shows "
                "what there is"
            )
        open_active(state, of_slot(state, back), threads)
        reason = f"{left.version} was rolled back by hand{': ' + why if why else ''}"
        slots = go_back(bar(slots, left.release.sha256, Barred(reason)), reason)
        save_journal(state.journal, journal.with_model(model, slots))
        write_report(state, site, model, slots.heard, time.time())
    return back, left
