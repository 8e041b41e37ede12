"""The daemon's hand on the journal: reads it when it changed, writes when nobody else does."""

import logging
import time
from collections.abc import Callable

from edge_runtime.errors import EdgeRuntimeError, StorageError
from edge_runtime.outbox import write_report
from edge_runtime.state import State
from edge_runtime.store import Journal, ModelSlots, journal_stamp, load_journal, save_journal

log = logging.getLogger(__name__)

Change = Callable[[ModelSlots], ModelSlots]


class Book:
    """The journal of `state`. A change that cannot be written yet is kept, counts already for who
    reads here, and is written as soon as the state is free."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._stamp: tuple[tuple[int, int], ...] | None = None
        self._journal = Journal()
        self._waiting: list[tuple[str, Change, bool]] = []
        self._trouble = ""

    def of(self, model: str) -> ModelSlots:
        """The slots of `model`, with all changes."""
        slots = self._read().of(model)
        for name, change, _ in self._waiting:
            slots = change(slots) if name == model else slots
        return slots

    def models(self) -> tuple[str, ...]:
        """The models that the journal knows."""
        return tuple(self._read().models)

    def change(self, model: str, change: Change, report: bool = False) -> bool:
        """Write a change now, with a signed report if asked. False when that cannot be done now;
        it is then forgotten."""
        if not self.flush():
            return False
        return self._write([(model, change, report)])

    def later(self, model: str, change: Change, report: bool = False) -> None:
        """Write a change now, or as soon as it can be done."""
        self._waiting.append((model, change, report))
        self.flush()

    def flush(self) -> bool:
        """Write what waits. True when nothing waits any more."""
        if self._waiting and self._write(self._waiting):
            self._waiting = []
        return not self._waiting

    def _write(self, changes: list[tuple[str, Change, bool]]) -> bool:
        try:
            with self._state.lock(patience=0):
                journal = load_journal(self._state.journal)
                for model, change, _ in changes:
                    journal = journal.with_model(model, change(journal.of(model)))
                save_journal(self._state.journal, journal)
                for model in {model: None for model, _, report in changes if report}:
                    self._report(model, journal)
        except StorageError as error:
            if str(error) != self._trouble:
                log.warning("the journal cannot be written now: %s", error)
            self._trouble = str(error)
            return False
        self._trouble = ""
        return True

    def _report(self, model: str, journal: Journal) -> None:
        heard = journal.of(model).heard
        try:
            write_report(self._state, self._state.site(), model, heard, time.time())
        except EdgeRuntimeError as error:
            log.error("no report was written: %s", error)  # noqa: TRY400 (one line, as everywhere)

    def _read(self) -> Journal:
        stamp = journal_stamp(self._state.journal)
        if stamp != self._stamp:
            try:
                self._journal = load_journal(self._state.journal)
            except StorageError as error:  # what was read last goes on counting
                log.error("the journal cannot be read: %s", error)  # noqa: TRY400
            self._stamp = stamp
        return self._journal
