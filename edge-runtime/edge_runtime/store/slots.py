"""Which release each model runs, and which ran before: two slots, flipped in one atomic step."""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from edge_runtime.contract import FileRef

Phase = Literal["idle", "active", "failed"]


class Slot(Struct, frozen=True, forbid_unknown_fields=True):
    """A release that passed this box's self-test, and the variant that was chosen here.

    `release` refers to the bytes of its release.json. `since` is seconds since 1970, `ms` what a
    picture took here at the self-test (None in journals of before it was kept).
    """

    release: FileRef
    version: str
    sequence: int
    variant: str
    engine: str
    since: float
    ms: float | None = None


class ModelSlots(Struct, frozen=True, forbid_unknown_fields=True):
    """A model's two slots, how far the latest update came, and why it went no further.

    `refused` maps variants of the release tried last to why this box will not run them, `left`
    releases that ran here, or could have again, to why they may not any more.
    """

    active: Slot | None = None
    previous: Slot | None = None
    phase: Phase = "idle"
    reason: str = ""
    refused: dict[str, str] = {}
    left: dict[str, str] = {}


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
    same = slots.active is not None and slots.active.release == new.release
    previous = slots.previous if same else slots.active
    return ModelSlots(new, previous, "active", refused=refused, left=slots.left)


def leave(slots: ModelSlots, against: Callable[[Slot], str]) -> ModelSlots:
    """The slots without what may not run any more; `against` says why, or is empty.

    Where what is active must go, the last good release takes its place if it may, else nothing.
    """
    slot = slots.active
    left = {
        held.release.sha256: reason
        for held in (slot, slots.previous)
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
    if slot is None or slot.release.sha256 not in left:
        return found
    reason = f"{slot.version} was left, {left[slot.release.sha256]}"
    phase: Phase = "failed" if active is None else "active"
    return msgspec.structs.replace(found, phase=phase, reason=reason, refused={})


def failed(slots: ModelSlots, reason: str, refused: dict[str, str]) -> ModelSlots:
    """The slots after an update failed: what runs stays, the reason is kept."""
    return msgspec.structs.replace(slots, phase="failed", reason=reason, refused=refused)
