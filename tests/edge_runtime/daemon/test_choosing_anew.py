"""What was chosen of a release no longer loads here: another variant of it takes its place."""

from collections.abc import Callable

import msgspec
import pytest

from edge_runtime.contract import Provider
from edge_runtime.daemon.activation import may_choose_anew
from edge_runtime.engines.providers import providers_here
from edge_runtime.errors import MissingError, RefusedError, StorageError
from edge_runtime.hosting import Loaded, load_active
from edge_runtime.running import Active
from edge_runtime.state import State
from edge_runtime.store import ModelSlots, load_journal, save_journal
from edge_runtime.store.slots import choose_anew
from edge_runtime.update import Wish, once

from ..models import build, squares_onnx
from ..publishing import Publisher
from .running import Camera, in_thread, slots, until
from .test_activating import LONELY, last_report

TWO = {"onnx-fp32": squares_onnx(), "onnx-other": squares_onnx(gain=1 + 1e-6)}


def chosen_before(state: State, variant: str, provider: Provider | None = None) -> None:
    """Let `variant`, run by `provider`, be what this box once chose of what is active."""
    journal = load_journal(state.journal)
    found = journal.of("squares")
    assert found.active is not None
    slot = msgspec.structs.replace(found.active, variant=variant, provider=provider)
    changed = msgspec.structs.replace(found, active=slot)
    save_journal(state.journal, journal.with_model("squares", changed))


def chosen_by_a_daemon(state: State) -> str:
    """What answers in a daemon."""
    camera = Camera()
    with in_thread(state, LONELY, camera) as daemon:
        until(lambda: camera.answered > 0)
        return daemon.host.get("squares").active.slot.chosen


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let variants no longer load in the daemon."""
    names: set[str] = set()

    def load(state: State, found: Active, threads: int) -> Loaded:
        if found.slot.chosen in names:
            raise RefusedError(f"{found.slot.chosen} finds no driver")
        return load_active(state, found, threads)

    monkeypatch.setattr("edge_runtime.daemon.loading.load_active", load)
    return names.add


@pytest.mark.component
@pytest.mark.parametrize("provider", ["openvino", "cuda"])
def test_a_provider_that_went_away_is_replaced_by_another_way_to_run_the_same_release(
    state: State, publisher: Publisher, provider: Provider
) -> None:
    """Really: this ONNX Runtime has no such provider."""
    if provider in providers_here():
        pytest.skip(f"this ONNX Runtime has the {provider} provider")
    first = publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    publisher.publish(build(2))
    once(state, Wish("squares"), lambda *_: None)
    chosen_before(state, "onnx-fp32", provider)
    (publisher.folder / "metadata").rename(publisher.folder / "gone")  # nothing can be fetched
    camera = Camera()
    with in_thread(state, LONELY, camera) as daemon:
        until(lambda: camera.answered > 0)
        running = daemon.host.get("squares").active
        assert (running.release.version, running.slot.chosen) == ("2.0.0", "onnx-fp32")
    found = slots(state)
    assert found.active == running.slot
    assert found.previous is not None
    assert found.previous.release.sha256 == first.release  # not gone back to
    assert (found.barred, found.down, found.starts) == ({}, "", {})
    was = f"onnx-fp32 by {provider}"
    assert f"no {provider} provider here" in found.refused[was]
    report = last_report(state)
    assert (report.active, report.health) == (running.slot.release.sha256, "ok")
    assert report.reason.startswith(f"{was} no longer runs here (ONNX Runtime has no {provider}")
    assert report.reason.endswith("; onnx-fp32 of it was chosen anew")


@pytest.mark.component
def test_the_fastest_that_passes_is_chosen_and_stays_at_the_next_start(
    state: State,
    publisher: Publisher,
    failing: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher.publish(build(1, TWO))
    once(state, Wish("squares"), lambda *_: None)
    chosen_before(state, "onnx-fp32")
    failing("onnx-fp32")
    assert [chosen_by_a_daemon(state) for _ in range(2)] == ["onnx-other", "onnx-other"]
    assert once(state, Wish("squares"), lambda *_: None).outcome == "current"
    assert slots(state).refused == {"onnx-fp32": "onnx-fp32 finds no driver"}
    monkeypatch.undo()
    update = once(state, Wish("squares", retry=True), lambda *_: None)  # the driver is back
    assert update.outcome == "activated"
    assert update.measured_ms.keys() == TWO.keys()


@pytest.mark.component
def test_where_nothing_of_the_release_runs_all_reasons_are_said(
    state: State, publisher: Publisher, failing: Callable[[str], None]
) -> None:
    publisher.publish(build(1, TWO))
    once(state, Wish("squares"), lambda *_: None)
    chosen_before(state, "onnx-fp32")
    failing("onnx-fp32")
    failing("onnx-other")
    with in_thread(state, LONELY, Camera()) as daemon:
        until(lambda: bool(slots(state).down))
        assert daemon.host.names() == ()
    assert slots(state).down == (
        "1.0.0 does not load: onnx-fp32 finds no driver; nor does onnx-other: onnx-other finds no "
        "driver"
    )


def test_only_what_was_found_good_here_and_is_whole_is_chosen_anew(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    good = slots(state)
    slot = good.active
    assert slot is not None
    gone = MissingError("no provider")
    assert may_choose_anew(good, slot, gone)
    assert not may_choose_anew(good, slot, StorageError("damaged"))
    assert not may_choose_anew(msgspec.structs.replace(good, dwelling=True), slot, gone)
    assert not may_choose_anew(ModelSlots(trial=slot), slot, gone)
    other = msgspec.structs.replace(slot, variant="other")
    assert choose_anew(good, other, slot, "late") == good  # something else is active by now
