"""What becomes of a release on this box: what to load, when to give it up, when to keep it."""

from dataclasses import dataclass

from edge_runtime.contract import Provider
from edge_runtime.daemon.gauge import Reading
from edge_runtime.daemon.settings import CrashSettings, DwellSettings
from edge_runtime.daemon.shadow import Verdict
from edge_runtime.errors import EdgeRuntimeError, MissingError, RefusedError
from edge_runtime.store import Barred, ModelSlots, Slot
from edge_runtime.store.slots import bar, drop_trial, go_back, go_down

LEAST_ERRORS = 3  # one bad picture is not a bad model
LEAST_BUDGET_MS = 5.0  # below it a ratio of latencies is the box's noise


@dataclass(frozen=True)
class Key:
    """What is loaded: a release (SHA-256), the variant chosen of it, and who runs that."""

    release: str
    variant: str
    provider: Provider | None = None


def key_of(slot: Slot) -> Key:
    """The key of what is in `slot`."""
    return Key(slot.release.sha256, slot.variant, slot.provider)


def next_load(slots: ModelSlots, here: frozenset[Key], vain: frozenset[Key]) -> Slot | None:
    """The slot to load next: what is active before what is on trial, and a trial only when nothing
    is on probation. `here` is loaded, `vain` failed to load lately."""
    for slot, due in ((slots.active, True), (slots.trial, not slots.dwelling)):
        if slot is not None and due and key_of(slot) not in here | vain:
            return slot
    return None


def looping(slots: ModelSlots, slot: Slot, now: float, limits: CrashSettings) -> str:
    """Why `slot` must not be loaded again at `now` (seconds since 1970); "" when it may.

    Starts that lie in the future were written under another clock, and count as well.
    """
    since = now - limits.minutes * 60
    times = [t for t in slots.starts.get(slot.release.sha256, ()) if t >= since]
    if len(times) < limits.starts:
        return ""
    return (
        f"{slot.version} was started {len(times)} times in {limits.minutes:g} minutes without "
        "being found good: a crash loop"
    )


def all_there_is(slots: ModelSlots, slot: Slot) -> bool:
    """Whether the release of `slot` was found good once and this box has no other."""
    active = slots.active is not None and slots.active.release == slot.release
    return active and slots.previous is None and not slots.dwelling


def give_up(slots: ModelSlots, slot: Slot, reason: str, engines: str) -> ModelSlots:
    """The slots after `slot` failed for `reason` with these `engines`; it is not tried again.

    What was found good once and has nothing to go back to stays, and is said to be down.
    """
    if all_there_is(slots, slot):
        return go_down(slots, reason) if slots.active == slot else slots
    release = slot.release.sha256
    active = slots.active is not None and slots.active.release.sha256 == release
    barred = bar(slots, release, Barred(reason, engines))
    return go_back(barred, reason) if active else barred


def may_choose_anew(slots: ModelSlots, slot: Slot, error: EdgeRuntimeError) -> bool:
    """Whether another variant may take the place of `slot`, which did not load: it was found good
    here before, so that it is the box that has changed, and its files are not to blame."""
    proven = slots.active == slot and not slots.dwelling
    return proven and isinstance(error, RefusedError | MissingError)


def after_failed_load(
    slots: ModelSlots, slot: Slot, error: EdgeRuntimeError, engines: str
) -> ModelSlots:
    """The slots after `slot` did not load. A release that is damaged on disk is not to blame: it
    is fetched anew by the next update."""
    reason = f"{slot.version} does not load: {error}"
    if isinstance(error, RefusedError | MissingError):
        return give_up(slots, slot, reason, engines)
    if slots.trial == slot:
        return drop_trial(slots)
    if slots.active != slot:
        return slots
    return go_back(slots, reason) if slots.previous is not None else go_down(slots, reason)


def judge_dwell(
    reading: Reading, before_ms: float | None, dwelt: float, limits: DwellSettings
) -> Verdict | None:
    """The verdict on a release that was on probation for `dwelt` seconds; None: not yet.

    `before_ms` is p99 of what ran before it, None when too little is known of that.
    """
    if reading.odd:
        return Verdict("back", f"odd outputs: {reading.odd}")
    share = reading.errors / max(reading.requests, 1)
    if reading.errors >= LEAST_ERRORS and share > limits.errors:
        return Verdict("back", f"{reading.errors} of {reading.requests} requests failed")
    budget = limits.latency_ms
    if budget is None and before_ms is not None:
        budget = max(limits.latency_ratio * before_ms, LEAST_BUDGET_MS)
    if budget is not None and reading.p99_ms is not None and reading.p99_ms > budget:
        return Verdict("back", f"p99 is {reading.p99_ms:.1f} ms, the budget {budget:.1f} ms")
    if dwelt < limits.seconds:
        return None
    found = f"{reading.requests} requests, {reading.errors} failed, in {dwelt:.0f} s"
    return Verdict("go", found)
