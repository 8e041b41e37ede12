"""Keeps one model running: load, shadow, flip, dwell, commit, or back to the last good release.

What to do is decided by `activation` and `shadow`; here it is done. `step` never waits.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from edge_runtime import engines
from edge_runtime.daemon.activation import (
    Key,
    after_failed_load,
    all_there_is,
    give_up,
    judge_dwell,
    key_of,
    looping,
    may_choose_anew,
    next_load,
)
from edge_runtime.daemon.book import Book
from edge_runtime.daemon.gauge import Gauged
from edge_runtime.daemon.listening import Listener
from edge_runtime.daemon.loading import Job, Loading
from edge_runtime.daemon.settings import ModelSettings, Settings
from edge_runtime.daemon.shadow import incomparable, judge
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hosting import Host, Loaded, give_back_memory
from edge_runtime.state import State
from edge_runtime.store import ModelSlots, Slot
from edge_runtime.store.slots import (
    begin,
    choose_anew,
    commit,
    forget_starts,
    go_down,
    note_start,
)

log = logging.getLogger(__name__)


@dataclass
class Surroundings:
    """What every keeper works with; `settings` may be replaced while it runs, `wake` is called from
    other threads when a step is worth while."""

    state: State
    book: Book
    host: Host
    settings: Settings
    wake: Callable[[], None]


class Keeper:
    """One model. `listener` hears live batches while a release is shadowed."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.listener: Listener | None = None
        self._around = around
        self._live: Loaded | None = None
        self._before: Loaded | None = None  # the last good one, while another is on probation
        self._candidate: Loaded | None = None
        self._loading: Loading | None = None
        self._vain: frozenset[Key] = frozenset()
        self._since = 0.0  # of the shadowing, or of the probation

    @property
    def busy(self) -> bool:
        """Whether something is under way that needs steps in short order."""
        return self._loading is not None or self._candidate is not None or self._slots.dwelling

    @property
    def settled(self) -> bool:
        """Whether what is active runs, or cannot."""
        active = self._slots.active
        return active is None or key_of(active) in self._here() | self._vain

    def retry(self) -> None:
        """Let what failed to load be tried again: an update may have mended it."""
        self._vain = frozenset()

    def step(self) -> None:
        """Do what can be done now."""
        if self._loading is not None:
            job = self._loading.job
            found = self._loading.found(self._around.settings.crash.load_s)
            if found is None:
                return
            self._loading = None
            if isinstance(found, EdgeRuntimeError):
                self._failed(job, found)
            else:
                self._loaded(job, found)
        self._follow()
        if self._candidate is not None and not self._slots.dwelling:
            self._shadow(self._candidate)
        live, active = self._live, self._slots.active
        if live is not None and self._slots.dwelling and live.active.slot == active:
            self._dwell(live)
        self._load()

    def close(self, clean: bool) -> None:
        """Stop; after a `clean` end the starts so far were no crashes."""
        self._drop_candidate()
        self._around.host.drop(self.name)
        if clean and self._slots.starts:
            self._around.book.later(self.name, forget_starts)

    @property
    def _slots(self) -> ModelSlots:
        return self._around.book.of(self.name)

    @property
    def _wanted(self) -> ModelSettings:
        return self._around.settings.models.get(self.name, ModelSettings())

    def _here(self) -> frozenset[Key]:
        held = (self._live, self._candidate)
        return frozenset(key_of(loaded.active.slot) for loaded in held if loaded is not None)

    def _load(self) -> None:
        slots = self._slots
        slot = next_load(slots, self._here(), self._vain)
        if slot is None or self._loading is not None:
            return
        crash = looping(slots, slot, time.time(), self._around.settings.crash)
        if crash and not all_there_is(slots, slot):
            self._give_up(slot, crash)
            return
        release = slot.release.sha256
        self._around.book.later(self.name, partial(note_start, release=release, at=time.time()))
        self._start(Job(slot, self._wanted.threads, self._wanted.engine))

    def _start(self, job: Job) -> None:
        self._loading = Loading(self._around.state, job, self._around.wake)

    def _failed(self, job: Job, error: EdgeRuntimeError) -> None:
        slot = job.slot
        if error is not job.failed:
            self._say(logging.ERROR, "load-failed", slot, str(error))
        if job.failed is None and may_choose_anew(self._slots, slot, error):
            self._start(replace(job, failed=error))
            return
        self._vain |= {key_of(slot)}
        self._change(partial(after_failed_load, slot=slot, error=error, engines=engines.versions()))

    def _loaded(self, job: Job, found: Loaded) -> None:
        slot = found.active.slot
        if job.failed is not None:
            self._say(logging.WARNING, "chosen-anew", slot, f"{slot.chosen}: {job.failed}")
            reason = str(job.failed)
            self._change(partial(choose_anew, old=job.slot, new=slot, reason=reason))
        slots = self._slots
        if slots.active == slot:
            self._serve(found)
            self._say(logging.INFO, "serving", slot, "loaded and self-tested")
            if slots.down:
                self._change(partial(go_down, reason=""))
            if slots.dwelling:
                self._since = time.monotonic()
            else:
                forget = partial(forget_starts, release=slot.release.sha256)
                self._around.book.later(self.name, forget)
        elif slots.trial == slot:
            self._candidate = found
            self._listen(found)

    def _serve(self, loaded: Loaded) -> None:
        self._around.host.put(self.name, loaded)
        self._live = loaded
        give_back_memory()

    def _follow(self) -> None:
        """Do as the journal says, where somebody else has changed it."""
        slots, live, candidate = self._slots, self._live, self._candidate
        if candidate is not None and candidate.active.slot != slots.trial:
            self._drop_candidate()
        if not slots.dwelling:
            self._before = None
        if live is not None and live.active.slot != slots.active:
            if slots.active is None or live.active.slot.release.sha256 in slots.left:
                self._around.host.drop(self.name)
                self._say(logging.WARNING, "left", live.active.slot, slots.reason)
            elif key_of(slots.active) in self._here():
                return  # the same, chosen anew
            self._live = None
            self._drop_candidate()

    def _listen(self, candidate: Loaded) -> None:
        self._since = time.monotonic()
        live, limits = self._live, self._around.settings.shadow
        release = candidate.active.release
        if live is not None and not incomparable(live.active.release, release):
            self.listener = Listener(live, candidate, limits)
            self._say(logging.INFO, "shadowing", candidate.active.slot, "decides beside what runs")

    def _shadow(self, candidate: Loaded) -> None:
        live, slot = self._live, candidate.active.slot
        if live is None:
            self._flip(candidate, "golden self-test alone: nothing ran before")
            return
        if self.listener is None:
            why = incomparable(live.active.release, candidate.active.release)
            self._flip(candidate, f"golden self-test alone: {why}")
            return
        waited = time.monotonic() - self._since
        verdict = judge(self.listener.tally, waited, self._around.settings.shadow)
        if verdict is None:
            return
        if verdict.step == "go":
            self._flip(candidate, verdict.why)
        else:
            self._drop_candidate()
            self._give_up(slot, f"{slot.version} was refused on trial: {verdict.why}")

    def _flip(self, candidate: Loaded, proof: str) -> None:
        """The journal first: what runs is never what a restart would not load."""
        slot = candidate.active.slot
        if not self._around.book.change(self.name, partial(_begin, slot=slot, proof=proof)):
            return
        if self._slots.active != slot:
            return
        self._drop_candidate()
        self._before = self._live
        self._serve(candidate)
        self._since = time.monotonic()
        self._say(logging.INFO, "switched", slot, proof)

    def _dwell(self, live: Loaded) -> None:
        gauge = live.session
        assert isinstance(gauge, Gauged)
        before = self._before.session if self._before is not None else None
        before_ms = before.reading().p99_ms if isinstance(before, Gauged) else None
        dwelt = time.monotonic() - self._since
        slot = live.active.slot
        verdict = judge_dwell(gauge.reading(), before_ms, dwelt, self._around.settings.dwell)
        if verdict is None:
            return
        if verdict.step == "back":
            self._back(slot, f"{slot.version} was refused on probation: {verdict.why}")
        elif self._around.book.change(self.name, commit, report=True):
            self._before = None
            give_back_memory()
            self._say(logging.INFO, "committed", slot, verdict.why)

    def _back(self, slot: Slot, reason: str) -> None:
        """What ran before runs again at once; the journal follows as soon as it can."""
        before, self._before = self._before, None
        if before is not None:
            self._serve(before)
        else:
            self._around.host.drop(self.name)
            self._live = None
        self._give_up(slot, reason)

    def _give_up(self, slot: Slot, reason: str) -> None:
        self._say(logging.ERROR, "gave-up", slot, reason)
        self._change(partial(give_up, slot=slot, reason=reason, engines=engines.versions()))

    def _change(self, change: Callable[[ModelSlots], ModelSlots]) -> None:
        self._around.book.later(self.name, change, report=True)

    def _drop_candidate(self) -> None:
        if self.listener is not None:
            self.listener.close()
        self.listener = self._candidate = None

    def _say(self, level: int, event: str, slot: Slot, text: str) -> None:
        about = {"event": event, "model": self.name, "release": slot.release.sha256}
        log.log(level, "%s %s: %s", self.name, slot.version, text, extra=about)


def _begin(slots: ModelSlots, slot: Slot, proof: str) -> ModelSlots:
    """`begin`, unless another trial or none is due by now."""
    return begin(slots, proof) if slots.trial == slot else slots
