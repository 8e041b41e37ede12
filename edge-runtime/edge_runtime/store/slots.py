"""Which release each model runs, which ran before, and which is on trial: pure steps from one
journal to the next, each written in one atomic step."""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from edge_runtime.contract import FileRef, Offer, Provider

MOST_BARRED = 16  # releases that are remembered as not to be tried again
MOST_STARTS = 16  # times of loads of one release

Phase = Literal["idle", "trial", "dwell", "active", "failed"]


class Slot(Struct, frozen=True, forbid_unknown_fields=True):
    """A release that passed this box's self-test, and the variant that was chosen here.

    `release` refers to the bytes of its release.json. `since` is seconds since 1970, `ms` what a
    picture took here at the self-test (None in journals of before it was kept). `provider` of ONNX
    Runtime runs it, None: the engine itself.
    """

    release: FileRef
    version: str
    sequence: int
    variant: str
    engine: str
    since: float
    ms: float | None = None
    provider: Provider | None = None

    @property
    def chosen(self) -> str:
        """What was chosen here, as people call it."""
        return self.variant + (f" by {self.provider}" if self.provider is not None else "")


class Barred(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a release is not tried again, and the `engines` (names and versions) with which it
    failed: others may do better. Empty: whatever the engines are."""

    reason: str
    engines: str = ""


class Heard(Struct, frozen=True, forbid_unknown_fields=True):
    """What an update learnt from its rollout, as far as it came."""

    edition: int = 0
    offer: Offer | None = None


class ModelSlots(Struct, frozen=True, forbid_unknown_fields=True):
    """A model's slots, how far the latest update came, and why it went no further.

    `trial` passed the self-test and waits for the daemon to shadow it; while `dwelling`, `active`
    runs on probation, and `proof` says what let it in. `starts` holds, by release, when it was
    loaded (seconds since 1970) without having been found good since. `heard` is of the rollout
    seen last.

    `refused` maps variants of the release tried last to why this box will not run them, `left`
    releases that ran here, or could have again, to why they may not any more, `barred` those that
    failed here. `down` is why the daemon could not load what is active, which has nothing to go
    back to; empty while it runs, or nobody has tried.
    """

    active: Slot | None = None
    previous: Slot | None = None
    phase: Phase = "idle"
    reason: str = ""
    refused: dict[str, str] = {}
    left: dict[str, str] = {}
    trial: Slot | None = None
    dwelling: bool = False
    proof: str = ""
    barred: dict[str, Barred] = {}
    starts: dict[str, tuple[float, ...]] = {}
    heard: Heard = Heard()
    down: str = ""


class Journal(Struct, frozen=True, forbid_unknown_fields=True):
    """The slots of every model of this site."""

    schema: Literal["slots/1"] = "slots/1"
    models: dict[str, ModelSlots] = {}

    def of(self, model: str) -> ModelSlots:
        """The slots of `model`; empty ones when it is new here."""
        return self.models.get(model, ModelSlots())

    def with_model(self, model: str, slots: ModelSlots) -> "Journal":
        """The journal with the slots of `model` replaced."""
        return msgspec.structs.replace(self, models={**self.models, model: slots})


def flip(slots: ModelSlots, new: Slot, refused: dict[str, str]) -> ModelSlots:
    """The slots after `new` became active; what was active is kept as previous."""
    return msgspec.structs.replace(
        slots,
        active=new,
        previous=_last_good(slots, new),
        phase="active",
        reason="",
        refused=refused,
        trial=None,
        dwelling=False,
        proof="",
        starts={},
        down="",
    )


def _last_good(slots: ModelSlots, new: Slot) -> Slot | None:
    """What to go back to from `new`: never the same release, never one on probation."""
    same = slots.active is not None and slots.active.release == new.release
    good = slots.previous if same or slots.dwelling else slots.active
    return None if good is not None and good.release == new.release else good


def try_out(slots: ModelSlots, new: Slot, refused: dict[str, str]) -> ModelSlots:
    """The slots after `new` passed the self-test and waits to be shadowed."""
    return msgspec.structs.replace(
        slots, trial=new, phase=_phase(slots.dwelling, trial=True), reason="", refused=refused
    )


def begin(slots: ModelSlots, proof: str) -> ModelSlots:
    """The slots after the trial became active, on probation; `proof` says what let it in."""
    new = slots.trial
    assert new is not None
    flipped = flip(slots, new, slots.refused)
    return msgspec.structs.replace(
        flipped, phase="dwell", dwelling=True, proof=proof, starts=slots.starts
    )


def commit(slots: ModelSlots) -> ModelSlots:
    """The slots after what is active was found good."""
    phase = _phase(False, trial=slots.trial is not None)
    return msgspec.structs.replace(slots, dwelling=False, phase=phase, reason="", starts={})


def settled(slots: ModelSlots) -> ModelSlots:
    """The slots after an update found that what is active is what should be: no trial is due."""
    phase = _phase(slots.dwelling, trial=False)
    return msgspec.structs.replace(slots, phase=phase, reason="", trial=None)


def _phase(dwelling: bool, trial: bool) -> Phase:
    return "dwell" if dwelling else "trial" if trial else "active"


def bar(slots: ModelSlots, release: str, barred: Barred) -> ModelSlots:
    """The slots after `release` (SHA-256) failed here in whatever way; a trial of it ends."""
    kept = {key: value for key, value in slots.barred.items() if key != release}
    newest = dict([*kept.items(), (release, barred)][-MOST_BARRED:])
    trial = slots.trial
    if trial is not None and trial.release.sha256 == release:
        trial = None
    starts = {key: times for key, times in slots.starts.items() if key != release}
    return msgspec.structs.replace(
        slots, barred=newest, trial=trial, starts=starts, phase="failed", reason=barred.reason
    )


def unbar(slots: ModelSlots, release: str) -> ModelSlots:
    """The slots with `release` (SHA-256) free to be tried again, and its starts forgotten."""
    barred = {key: value for key, value in slots.barred.items() if key != release}
    starts = {key: times for key, times in slots.starts.items() if key != release}
    return msgspec.structs.replace(slots, barred=barred, starts=starts)


def go_back(slots: ModelSlots, reason: str) -> ModelSlots:
    """The slots after what was active had to go: the last good release runs again, or nothing."""
    return msgspec.structs.replace(
        slots,
        active=slots.previous,
        previous=None,
        phase="failed",
        reason=reason,
        dwelling=False,
        proof="",
        down="",
    )


def go_down(slots: ModelSlots, reason: str) -> ModelSlots:
    """The slots after what is active could not be loaded, with nothing to go back to: it stays
    active, for it may load again. An empty `reason` says that it has."""
    return msgspec.structs.replace(slots, down=reason)


def choose_anew(slots: ModelSlots, old: Slot, new: Slot, reason: str) -> ModelSlots:
    """The slots after `new`, of the same release, took the place of `old`, which no longer runs
    here for `reason`."""
    if slots.active != old:
        return slots
    refused = {**slots.refused, old.chosen: reason}
    text = f"{old.chosen} no longer runs here ({reason}); {new.chosen} of it was chosen anew"
    return msgspec.structs.replace(slots, active=new, reason=text, refused=refused, down="")


def drop_trial(slots: ModelSlots) -> ModelSlots:
    """The slots without their trial, which nobody wants any more; nothing is held against it."""
    if slots.trial is None:
        return slots
    phase = slots.phase if slots.phase != "trial" else "active" if slots.active else "idle"
    return msgspec.structs.replace(slots, trial=None, phase=phase)


def note_start(slots: ModelSlots, release: str, at: float) -> ModelSlots:
    """The slots with one more load of `release` (SHA-256), begun at `at`."""
    times = (*slots.starts.get(release, ()), round(at, 3))[-MOST_STARTS:]
    return msgspec.structs.replace(slots, starts={**slots.starts, release: times})


def forget_starts(slots: ModelSlots, release: str | None = None) -> ModelSlots:
    """The slots without the starts of `release` (None: of any), which went well."""
    starts = {k: v for k, v in slots.starts.items() if release is not None and k != release}
    return msgspec.structs.replace(slots, starts=starts)


def leave(slots: ModelSlots, against: Callable[[Slot], str]) -> ModelSlots:
    """The slots without what may not run any more; `against` says why, or is empty.

    Where what is active must go, the last good release takes its place if it may, else nothing.
    """
    slot = slots.active
    left = {
        held.release.sha256: reason
        for held in (slot, slots.previous, slots.trial)
        if held is not None and (reason := against(held))
    }
    if not left:
        return slots
    kept = [
        held
        for held in (slot, slots.previous)
        if held is not None and held.release.sha256 not in left
    ]
    active, previous = (*kept, None, None)[:2]
    found = msgspec.structs.replace(
        slots, active=active, previous=previous, left={**slots.left, **left}
    )
    if slots.trial is not None and slots.trial.release.sha256 in left:
        found = drop_trial(found)
    if slot is None or slot.release.sha256 not in left:
        return found
    reason = f"{slot.version} was left, {left[slot.release.sha256]}"
    phase: Phase = "failed" if active is None else "active"
    return msgspec.structs.replace(
        found, phase=phase, reason=reason, refused={}, dwelling=False, proof="", down=""
    )


def failed(slots: ModelSlots, reason: str, refused: dict[str, str]) -> ModelSlots:
    """The slots after an update failed: what runs stays, the reason is kept."""
    return msgspec.structs.replace(slots, phase="failed", reason=reason, refused=refused)
