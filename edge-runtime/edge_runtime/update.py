"""One update of one model: fetch, verify, test here; flip, or leave it on trial for the daemon.

What runs stays until all is well.
"""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from edge_runtime import engines, proof
from edge_runtime.asking import Asking
from edge_runtime.contract import (
    Engine,
    FileRef,
    Provider,
    Release,
    Variant,
    decode,
)
from edge_runtime.errors import (
    EdgeRuntimeError,
    InputError,
    RefusedError,
)
from edge_runtime.hardware import hardware_classes
from edge_runtime.outbox import write_report
from edge_runtime.rebuilding import mend_journal
from edge_runtime.running import Progress
from edge_runtime.state import Site, State
from edge_runtime.store import Barred, Heard, ModelSlots, Slot, load_journal, save_journal
from edge_runtime.store.quota import make_room
from edge_runtime.store.slots import (
    bar,
    drop_trial,
    failed,
    flip,
    note_start,
    settled,
    try_out,
    unbar,
)
from edge_runtime.trust import stick
from edge_runtime.trust.blobs import fetch_blob
from edge_runtime.trust.http import Http
from edge_runtime.trust.origin import Origin
from edge_runtime.trust.patching import fetch_by_patch

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)


MOST_TRIES = 3  # self-tests of a trial that were begun and never ended: it hangs, or kills us

Outcome = Literal["activated", "trial", "current", "barred", "not-in-rollout", "paused"]


class Update(Struct, frozen=True):
    """What one update came to; `reason` says why a release is barred. `measured_ms` is this box's
    own timing of what was tested, `provider` what runs the variant inside ONNX Runtime."""

    model: str
    outcome: Outcome
    release: str
    sequence: int
    seconds: float
    version: str = ""
    variant: str = ""
    engine: str = ""
    measured_ms: dict[str, float] = {}
    refused: dict[str, str] = {}
    reason: str = ""
    provider: Provider | None = None


@dataclass(frozen=True)
class Wish:
    """What to update, and how: `engine` None lets the measurement choose.

    With `trial` a new release is left on trial for the daemon, and one that fails is barred;
    `retry` tries also what is barred, and chooses anew where a variant was refused.
    """

    model: str
    engine: Engine | None = None
    threads: int = 1
    trial: bool = False
    retry: bool = False


def once(
    state: State,
    wish: Wish,
    progress: Progress,
    http: Http | None = None,
    now: Callable[[], float] = time.time,
) -> Update:
    """Bring the model of `wish` to the release that its signed rollout names, if this site takes
    part; `now` is the box's clock (seconds since 1970).

    Raises MissingError, TrustError, StorageError or RefusedError; the active release then stays
    active, and the journal says why.
    """
    origin = Origin(state.site().url, http or Http(), state.metadata)
    return _update(state, origin, wish, progress, now)


def from_stick(
    state: State,
    folder: Path,
    wish: Wish,
    progress: Progress,
    now: Callable[[], float] = time.time,
) -> Update:
    """As `once`, from the stick in `folder`, which must have been made for this site's region.

    Network and sticks share the high-water marks, so neither brings back what is older. Raises as
    `once`, InputError when the site has no region.
    """
    group = state.site().region
    if not group:
        raise InputError("sticks are made for a region, and this site has none; enroll it with one")
    origin = Origin(stick.URL, stick.Stick(folder), state.folder / "stick", group)
    return _update(state, origin, wish, progress, now)


def _update(
    state: State, origin: Origin, wish: Wish, progress: Progress, now: Callable[[], float]
) -> Update:
    site = state.site()
    with state.lock():
        state.contents.prepare()
        mend_journal(state, site, now(), wish.threads)
        if origin.group is not None:
            # It would hide a stick of the same versions that lives longer; the marks are enough.
            shutil.rmtree(origin.cache, ignore_errors=True)
        updating = _Updating(state, site, origin, wish, progress, now)
        try:
            return updating.run()
        except EdgeRuntimeError as error:
            _note_failure(state, wish, updating.heard, error)
            raise
        finally:
            _report(state, site, wish.model, updating.heard, now())


def _report(state: State, site: Site, model: str, heard: Heard, now: float) -> None:
    """Leave a report, if that can be done: an update counts also where it cannot be told."""
    try:
        write_report(state, site, model, heard, now)
    except EdgeRuntimeError as error:
        log.error("no report was written: %s", error)  # noqa: TRY400 (one line, as everywhere)


def _note_failure(state: State, wish: Wish, heard: Heard, error: EdgeRuntimeError) -> None:
    journal = load_journal(state.journal)
    slots = msgspec.structs.replace(journal.of(wish.model), heard=heard)
    refused = error.refused if isinstance(error, _NoneLeftError) else {}
    reason = f"{type(error).__name__}: {error}"
    tried = isinstance(error, _NoneLeftError) and error.tried
    if wish.trial and tried and heard.offer is not None:
        slots = bar(slots, heard.offer.release, Barred(reason, engines.versions()))
    save_journal(state.journal, journal.with_model(wish.model, failed(slots, reason, refused)))


class _NoneLeftError(RefusedError):
    """No variant of a release can run here; `tried` when that took a self-test to know."""

    def __init__(self, message: str, refused: dict[str, str], tried: bool) -> None:
        super().__init__(message)
        self.refused, self.tried = refused, tried


class _Updating:
    """The steps of one update, under the state's lock."""

    def __init__(
        self,
        state: State,
        site: Site,
        origin: Origin,
        wish: Wish,
        progress: Progress,
        now: Callable[[], float],
    ) -> None:
        self._state, self._site, self._wish = state, site, wish
        self._progress, self._origin, self._now = progress, origin, now
        self._contents = state.contents
        self._hardware = hardware_classes()
        self._start = time.perf_counter()
        self._asking = Asking(state, site, origin, wish.model, self._hardware, progress, now)

    @property
    def heard(self) -> Heard:
        """What was learnt from the rollout so far."""
        return self._asking.heard

    def run(self) -> Update:
        try:
            asked = self._asking.verified()
        except RefusedError:
            self._restore()
            raise
        if asked.release is None or asked.ref is None:
            self._nobody_asks()
            self._restore()
            return Update(
                model=self._wish.model,
                outcome="paused" if asked.paused else "not-in-rollout",
                release=asked.rollout.release,
                sequence=asked.rollout.sequence,
                seconds=self._seconds(),
            )
        release, ref = asked.release, asked.ref
        slots = msgspec.structs.replace(self._slots(), heard=self.heard)
        active, trial = slots.active, slots.trial
        if active is not None and active.release == ref and self._fits(active, release):
            slots = self._keep(settled(slots))
            return self._result("current", active, {}, slots.refused)
        barred = self._barred(slots, ref)
        if barred is not None:
            slots = self._keep(failed(drop_trial(slots), barred.reason, slots.refused))
            self._restore()
            return self._result("barred", _tried(release, ref), {}, {}, barred.reason)
        if trial is not None and trial.release == ref and self._fits(trial, release):
            slots = self._keep(try_out(slots, trial, slots.refused))
            return self._result("trial", trial, {}, slots.refused)
        return self._activate(unbar(slots, ref.sha256) if self._wish.retry else slots, release, ref)

    def _slots(self) -> ModelSlots:
        return load_journal(self._state.journal).of(self._wish.model)

    def _keep(self, slots: ModelSlots) -> ModelSlots:
        journal = load_journal(self._state.journal)
        if slots != journal.of(self._wish.model):
            save_journal(self._state.journal, journal.with_model(self._wish.model, slots))
        return slots

    def _nobody_asks(self) -> None:
        """A trial ends when the site is no longer told to run it."""
        slots = self._slots()
        if slots != ModelSlots():
            self._keep(msgspec.structs.replace(drop_trial(slots), heard=self.heard))

    def _barred(self, slots: ModelSlots, ref: FileRef) -> Barred | None:
        """What is held against the release of `ref`, as long as nothing has changed."""
        barred = slots.barred.get(ref.sha256)
        if barred is None or self._wish.retry or barred.engines not in {"", engines.versions()}:
            return None
        return barred

    def _restore(self) -> None:
        """Fetch what the active release lacks: it stays, and it, or some of it, was damaged."""
        slot = load_journal(self._state.journal).of(self._wish.model).active
        if slot is None:
            return
        try:
            release = decode(self._contents.read(slot.release), Release, "the active release")
            self._fetch(release, slot.release, [release.variant(slot.variant)])
        except EdgeRuntimeError as error:
            log.warning("what is active is damaged, and could not be mended: %s", error)

    def _fits(self, active: Slot, release: Release) -> bool:
        """True when what is active needs no new choice: intact, and of the engine asked for."""
        if self._wish.engine is not None and active.engine != self._wish.engine:
            return False
        if self._wish.retry and self._slots().refused:
            return False  # what was refused then may run by now
        variant = release.variant(active.variant)
        needed = [*variant.files.values(), *(case.picture for case in release.golden.cases)]
        return engines.unavailable(variant.engine, active.provider) is None and all(
            self._contents.holds(ref) for ref in needed
        )

    def _activate(self, slots: ModelSlots, release: Release, ref: FileRef) -> Update:
        usable, unfit = proof.candidates(release, self._hardware, self._wish.engine)
        if not usable:
            raise _NoneLeftError(_none_left(release, unfit), unfit, tried=False)
        self._progress(1, 4, f"fetching {release.name} {release.version}")
        self._fetch(release, ref, [candidate.variant for candidate in usable])
        self._progress(2, 4, "self-test on this box")
        if self._wish.trial:
            slots = self._count_try(slots, release, ref)
        proven, failing = proof.prove(release, usable, self._contents, self._wish.threads)
        refused = {**unfit, **failing}
        if not proven:
            raise _NoneLeftError(_none_left(release, failing), refused, tried=True)
        best = proven[0].candidate
        slot = msgspec.structs.replace(
            _tried(release, ref),
            variant=best.variant.name,
            engine=best.variant.engine,
            provider=best.provider,
            since=round(self._now(), 3),
            ms=round(proven[0].milliseconds, 4),
        )
        self._contents.settle()
        measured = {p.candidate.name: round(p.milliseconds, 4) for p in proven}
        slots = unbar(slots, ref.sha256)
        if self._wish.trial:
            self._keep(try_out(slots, slot, refused))
            self._progress(4, 4, f"on trial: {best.name}")
            return self._result("trial", slot, measured, refused)
        self._keep(flip(slots, slot, refused))
        self._progress(4, 4, f"active: {best.name}")
        return self._result("activated", slot, measured, refused)

    def _count_try(self, slots: ModelSlots, release: Release, ref: FileRef) -> ModelSlots:
        """Write down that a self-test begins: who hangs or dies in it cannot say so itself."""
        tries = len(slots.starts.get(ref.sha256, ()))
        if tries >= MOST_TRIES:
            reason = f"its load or self-test was begun {tries} times here and never ended"
            raise _NoneLeftError(
                f"{release.name} {release.version}: {reason}",
                {variant.name: reason for variant in release.variants},
                tried=True,
            )
        return self._keep(note_start(slots, ref.sha256, self._now()))

    def _fetch(self, release: Release, itself: FileRef, usable: list[Variant]) -> None:
        wanted = {case.picture.sha256: case.picture for case in release.golden.cases}
        for variant in usable:
            wanted |= {ref.sha256: ref for ref in variant.files.values()}
        journal = load_journal(self._state.journal)
        make_room(self._contents, journal, [itself, *wanted.values()], self._site.quota)
        missing = [ref for ref in wanted.values() if not self._contents.holds(ref)]
        patches = self._asking.patches() if missing else ()
        source, blobs = self._origin.source, self._origin.blobs
        for number, ref in enumerate(missing):
            self._progress(number, len(missing), f"blob {ref.sha256[:12]} ({ref.bytes} bytes)")
            if fetch_by_patch(source, blobs, ref, patches, self._contents):
                continue
            fetch_blob(
                source,
                f"{blobs}/{ref.sha256}",
                ref,
                self._contents.partial / ref.sha256,
                self._contents.path(ref),
            )

    def _result(
        self,
        outcome: Outcome,
        slot: Slot,
        measured: dict[str, float],
        refused: dict[str, str],
        reason: str = "",
    ) -> Update:
        return Update(
            model=self._wish.model,
            outcome=outcome,
            release=slot.release.sha256,
            version=slot.version,
            sequence=slot.sequence,
            variant=slot.variant,
            engine=slot.engine,
            provider=slot.provider,
            measured_ms=measured,
            refused=refused,
            reason=reason,
            seconds=self._seconds(),
        )

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._start, 3)


def _tried(release: Release, ref: FileRef) -> Slot:
    """The release as a slot for which no variant was chosen yet."""
    return Slot(ref, release.version, release.sequence, variant="", engine="", since=0.0)


def _none_left(release: Release, reasons: Mapping[str, str]) -> str:
    text = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return f"no variant of {release.name} {release.version} may run on this box: {text}"
