"""The journal's steps and the verdicts of a probation, as tables; and what always holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import FileRef, decode, encode
from edge_runtime.daemon.activation import (
    after_failed_load,
    give_up,
    judge_dwell,
    key_of,
    looping,
    next_load,
)
from edge_runtime.daemon.gauge import Reading
from edge_runtime.daemon.settings import CrashSettings, DwellSettings
from edge_runtime.errors import EdgeRuntimeError, RefusedError, StorageError
from edge_runtime.store import Barred, Journal, ModelSlots, Slot
from edge_runtime.store.slots import (
    MOST_BARRED,
    MOST_STARTS,
    bar,
    begin,
    commit,
    drop_trial,
    flip,
    go_back,
    go_down,
    leave,
    note_start,
    settled,
    try_out,
)

CRASH, DWELL = CrashSettings(), DwellSettings()


def slot(number: int) -> Slot:
    """The slot of release `number`."""
    ref = FileRef(f"{number:064x}", 10)
    return Slot(ref, f"{number}.0.0", number, "onnx-fp32", "onnxruntime", since=0.0)


ONE, TWO, THREE = slot(1), slot(2), slot(3)
RUNNING = flip(ModelSlots(), ONE, {})
ON_TRIAL = try_out(RUNNING, TWO, {})
PROBATION = begin(ON_TRIAL, "shadowed")


def test_a_release_is_tried_switched_to_and_committed() -> None:
    assert (ON_TRIAL.active, ON_TRIAL.trial, ON_TRIAL.phase) == (ONE, TWO, "trial")
    assert (PROBATION.active, PROBATION.previous, PROBATION.trial) == (TWO, ONE, None)
    assert (PROBATION.phase, PROBATION.dwelling, PROBATION.proof) == ("dwell", True, "shadowed")
    assert (commit(PROBATION).phase, commit(PROBATION).dwelling) == ("active", False)


def test_a_newer_release_waits_until_the_probation_is_over() -> None:
    waiting = try_out(PROBATION, THREE, {})
    assert (waiting.phase, waiting.trial) == ("dwell", THREE)
    assert next_load(waiting, frozenset({key_of(TWO)}), frozenset()) is None
    assert next_load(commit(waiting), frozenset({key_of(TWO)}), frozenset()) == THREE


def test_one_on_probation_is_never_what_is_gone_back_to() -> None:
    assert flip(PROBATION, THREE, {}).previous == ONE  # `once` by hand meanwhile


def test_going_back_ends_at_the_last_good_one_and_bars_the_other() -> None:
    back = give_up(PROBATION, TWO, "it fails", "engines 1")
    assert (back.active, back.previous, back.dwelling, back.phase) == (ONE, None, False, "failed")
    assert back.barred == {TWO.release.sha256: Barred("it fails", "engines 1")}
    refused = give_up(ON_TRIAL, TWO, "it disagrees", "engines 1")
    assert (refused.active, refused.trial, refused.reason) == (ONE, None, "it disagrees")


def test_the_first_release_of_a_box_goes_if_it_fails_its_probation_but_not_later() -> None:
    first = begin(try_out(ModelSlots(), ONE, {}), "golden")
    assert give_up(first, ONE, "it fails", "").active is None
    down = give_up(commit(first), ONE, "it fails", "")
    assert (down.active, down.barred, down.down) == (ONE, {}, "it fails")


@pytest.mark.parametrize("error", [RefusedError("golden"), StorageError("damaged")])
def test_what_cannot_be_loaded_and_has_nothing_to_go_back_to_is_said_to_be_down(
    error: EdgeRuntimeError,
) -> None:
    alone = commit(begin(try_out(ModelSlots(), ONE, {}), "golden"))
    down = after_failed_load(alone, ONE, error, "")
    assert (down.active, down.down) == (ONE, f"1.0.0 does not load: {error}")
    assert settled(down).down  # an update that finds nothing new does not make it run
    assert not go_down(down, "").down
    assert not flip(down, TWO, {}).down
    waiting = try_out(down, TWO, {})
    assert after_failed_load(waiting, TWO, error, "").down == down.down  # of the other one


def test_where_there_is_something_to_go_back_to_nothing_is_down() -> None:
    two = commit(PROBATION)
    for error in (RefusedError("golden"), StorageError("damaged")):
        back = after_failed_load(two, TWO, error, "")
        assert (back.active, back.down) == (ONE, "")


def test_what_is_active_is_loaded_first_and_vain_loads_are_not_repeated() -> None:
    assert next_load(ON_TRIAL, frozenset(), frozenset()) == ONE
    assert next_load(ON_TRIAL, frozenset({key_of(ONE)}), frozenset()) == TWO
    assert next_load(ON_TRIAL, frozenset({key_of(ONE)}), frozenset({key_of(TWO)})) is None
    assert next_load(ModelSlots(), frozenset(), frozenset()) is None


@pytest.mark.parametrize(
    ("starts", "loops"),
    [
        ([], False),
        ([0, 10], False),
        ([0, 10, 20], True),
        ([-7200, 10, 20], False),  # long ago
        ([99999, 99999, 99999], True),  # under another clock
    ],
)
def test_a_crash_loop_is_starts_within_the_window(starts: list[float], loops: bool) -> None:
    slots = PROBATION
    for at in starts:
        slots = note_start(slots, TWO.release.sha256, at)
    assert bool(looping(slots, TWO, 30.0, CRASH)) == loops
    assert not looping(commit(slots), TWO, 30.0, CRASH)


@pytest.mark.parametrize(
    ("error", "active", "barred"),
    [(RefusedError("golden"), ONE, True), (StorageError("damaged"), ONE, False)],
)
def test_damage_on_disk_is_not_held_against_a_release(
    error: EdgeRuntimeError, active: Slot, barred: bool
) -> None:
    for slots in (ON_TRIAL, PROBATION):
        found = after_failed_load(slots, TWO, error, "")
        assert (found.active, found.trial, bool(found.barred)) == (active, None, barred)


@pytest.mark.parametrize(
    ("reading", "before", "dwelt", "step"),
    [
        (Reading(0, 0, "", None), None, 599, None),
        (Reading(0, 0, "", None), None, 600, "go"),  # without traffic time decides
        (Reading(9, 0, "boxes are not finite numbers", None), None, 1, "back"),
        (Reading(2, 2, "", None), None, 1, None),  # fewer than three errors say nothing
        (Reading(4, 3, "", None), None, 1, "back"),
        (Reading(1000, 9, "", 5.0), None, 600, "go"),
        (Reading(1000, 11, "", 5.0), None, 600, "back"),
        (Reading(1000, 0, "", 31.0), 10.0, 1, "back"),
        (Reading(1000, 0, "", 29.0), 10.0, 1, None),
        (Reading(1000, 0, "", 4.0), 0.1, 1, None),  # too fast to matter
    ],
)
def test_the_verdicts_of_a_probation(
    reading: Reading, before: float | None, dwelt: float, step: str | None
) -> None:
    verdict = judge_dwell(reading, before, dwelt, DWELL)
    assert (verdict.step if verdict else None) == step


def test_a_stated_latency_counts_instead_of_the_ratio() -> None:
    limits = msgspec.structs.replace(DWELL, latency_ms=20.0)
    verdict = judge_dwell(Reading(1000, 0, "", 21.0), 100.0, 1, limits)
    assert verdict is not None
    assert "the budget 20.0 ms" in verdict.why


SLOTS = st.sampled_from([ONE, TWO, THREE])
STEPS = st.one_of(
    st.tuples(st.just("flip"), SLOTS),
    st.tuples(st.just("try"), SLOTS),
    st.tuples(st.just("begin"), SLOTS),
    st.tuples(st.just("commit"), SLOTS),
    st.tuples(st.just("give up"), SLOTS),
    st.tuples(st.just("bar"), SLOTS),
    st.tuples(st.just("leave"), SLOTS),
    st.tuples(st.just("drop"), SLOTS),
    st.tuples(st.just("settle"), SLOTS),
    st.tuples(st.just("start"), SLOTS),
    st.tuples(st.just("back"), SLOTS),
)


def _apply(slots: ModelSlots, step: str, which: Slot) -> ModelSlots:
    if step == "begin":
        return begin(slots, "proof") if slots.trial is not None else slots
    if step == "commit":
        return commit(slots) if slots.dwelling else slots
    if step == "back":
        return go_back(slots, "by hand") if slots.previous is not None else slots
    release = which.release.sha256
    done = {
        "flip": lambda: flip(slots, which, {}),
        "try": lambda: try_out(slots, which, {}),
        "give up": lambda: give_up(slots, which, "it fails", "engines"),
        "bar": lambda: bar(slots, release, Barred("it fails")) if slots.active != which else slots,
        "leave": lambda: leave(slots, lambda held: "blocked" if held == which else ""),
        "drop": lambda: drop_trial(slots),
        "settle": lambda: settled(slots) if slots.active else slots,
        "start": lambda: note_start(slots, release, 1.0),
    }
    return done[step]()


@given(st.lists(STEPS, max_size=30))
def test_after_any_steps_the_journal_is_sound(steps: list[tuple[str, Slot]]) -> None:
    slots = ModelSlots()
    for step, which in steps:
        slots = _apply(slots, step, which)
        assert not slots.dwelling or slots.active is not None
        assert slots.active is None or slots.active != slots.previous
        assert slots.phase != "dwell" or slots.dwelling
        assert slots.phase != "active" or slots.active is not None
        assert len(slots.barred) <= MOST_BARRED
        assert all(len(times) <= MOST_STARTS for times in slots.starts.values())
        journal = Journal(models={"m": slots})
        assert decode(encode(journal), Journal, "the journal") == journal


def test_a_journal_of_before_there_were_trials_still_parses() -> None:
    before = b"""{"schema": "slots/1", "models": {"m": {"active": {"release": {"sha256":
        "%s", "bytes": 10}, "version": "1.0.0", "sequence": 1, "variant": "onnx-fp32",
        "engine": "onnxruntime", "since": 0.0}, "previous": null, "phase": "failed",
        "reason": "x", "refused": {}, "left": {}}}}""" % (b"0" * 63 + b"1")
    slots = decode(before, Journal, "the journal").of("m")
    assert (slots.active, slots.phase, slots.trial, slots.barred) == (ONE, "failed", None, {})
