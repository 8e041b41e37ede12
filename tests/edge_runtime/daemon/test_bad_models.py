"""Models that hang, take all memory or answer nonsense, inside the daemon: what runs goes on."""

import threading
from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_runtime.cli import main
from edge_runtime.daemon import ModelSettings, Settings
from edge_runtime.daemon.answering import update_panels
from edge_runtime.daemon.loop import Daemon
from edge_runtime.daemon.settings import CrashSettings, DwellSettings, ShadowSettings
from edge_runtime.errors import RefusedError
from edge_runtime.hosting import Loaded, load_active
from edge_runtime.running import Active, active, open_active
from edge_runtime.serving import Row
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.update import Wish, once

from ..models import build, build_digits
from ..publishing import Publisher
from .running import QUICK, Camera, in_thread, running, slots, until
from .test_activating import LONELY, last_report, odd_onnx

pytestmark = pytest.mark.component

QUIET = msgspec.structs.replace(
    LONELY, shadow=ShadowSettings(spacing_s=0, wait_s=0.1), dwell=DwellSettings(seconds=600)
)


def on_trial(state: State, publisher: Publisher, model: bytes | None = None) -> str:
    """A site whose `squares` 1.0.0 runs, and the digest of 2.0.0, which is on trial."""
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    bad = publisher.publish(build(2, None if model is None else {"onnx-fp32": model}))
    once(state, Wish("squares", trial=True), lambda *_: None)
    return bad.release


def loading_as(monkeypatch: pytest.MonkeyPatch, bad: str, how: Callable[[], None]) -> None:
    """Let `how` happen where the daemon loads the release `bad`."""

    def odd(state: State, found: Active, threads: int) -> Loaded:
        if found.slot.release.sha256 == bad:
            how()
        return load_active(state, found, threads)

    monkeypatch.setattr("edge_runtime.daemon.loading.load_active", odd)


def with_a_label_too_few(model: bytes) -> bytes:
    """The model with one label fewer than scores where its scores are odd."""
    changed = onnx.load_from_string(model)
    graph, node = changed.graph, helper.make_node
    for found in graph.node:
        if found.output[0] == "labels":
            found.output[0] = "all_labels"
    constants: dict[str, npt.NDArray[np.generic]] = {
        "seven": np.array(7, np.int64),
        "eight": np.array(8, np.int64),
        "begin": np.array([0], np.int64),
        "second_axis": np.array([1], np.int64),
        "single": np.array([1], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items())
    graph.node.extend(
        [
            node("Where", ["is_odd", "seven", "eight"], ["count"]),
            node("Reshape", ["count", "single"], ["end"]),
            node("Slice", ["all_labels", "begin", "end", "second_axis"], ["labels"]),
        ]
    )
    data: bytes = changed.SerializeToString()
    return data


NAN = odd_onnx(float("nan"))
MISSHAPEN = with_a_label_too_few(odd_onnx(1.0))


def test_a_load_that_runs_out_of_memory_is_given_up(
    monkeypatch: pytest.MonkeyPatch, state: State, publisher: Publisher
) -> None:
    def greedy() -> None:
        raise MemoryError

    bad, camera = on_trial(state, publisher), Camera()
    loading_as(monkeypatch, bad, greedy)
    with in_thread(state, LONELY, camera) as daemon:
        until(lambda: bad in slots(state).barred)
        assert daemon.host.get("squares").active.release.version == "1.0.0"
        answered = camera.answered
        until(lambda: camera.answered > answered)
    assert "not enough memory to load it" in slots(state).reason
    assert camera.failed == 0


def test_a_load_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, state: State, publisher: Publisher
) -> None:
    bad, camera = on_trial(state, publisher), Camera()
    begun, ending = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        ending.wait(120)

    loading_as(monkeypatch, bad, hang)
    given = [LONELY]
    daemon = Daemon(state, lambda: given[0], parts=(camera,))
    with running(daemon):
        until(begun.is_set)
        given[0] = msgspec.structs.replace(LONELY, crash=CrashSettings(load_s=0.1))
        daemon.reload()
        until(lambda: bad in slots(state).barred)
        answered = camera.answered
        until(lambda: camera.answered > answered)
        assert daemon.host.get("squares").active.release.version == "1.0.0"
        ending.set()
    assert "hangs: no end in 0.1 s" in slots(state).reason
    assert camera.failed == 0


@pytest.mark.parametrize(
    ("model", "says"), [(NAN, "not finite"), (MISSHAPEN, "labels (1, 7)")], ids=["nan", "shape"]
)
def test_nonsense_on_trial_is_given_up_and_nobody_gets_it(
    state: State, publisher: Publisher, model: bytes, says: str
) -> None:
    bad, camera = on_trial(state, publisher, model), Camera()
    with in_thread(state, LONELY, camera) as daemon:
        until(lambda: bad in slots(state).barred)
        assert daemon.host.get("squares").active.release.version == "1.0.0"
    assert "refused on trial: on live pictures" in slots(state).reason
    assert says in slots(state).reason
    assert camera.failed == 0


def test_a_wrong_shape_on_probation_goes_back_at_once(state: State, publisher: Publisher) -> None:
    bad, camera = on_trial(state, publisher, MISSHAPEN), Camera(only="2.0.0")
    with in_thread(state, QUIET, camera) as daemon:
        until(lambda: bad in slots(state).barred)
        assert daemon.host.get("squares").active.release.version == "1.0.0"
    assert "labels (1, 7)" in slots(state).reason


def test_going_back_needs_nothing_from_the_disk(state: State, publisher: Publisher) -> None:
    """The release before is damaged when it must take over: it runs on, and is mended later."""
    bad, camera = on_trial(state, publisher, NAN), Camera(only="no other")
    first = slots(state).active
    with in_thread(state, QUIET, camera) as daemon:
        until(lambda: slots(state).dwelling)
        assert first is not None
        model = build(1).release.variants[0].files["model.onnx"]
        state.contents.path(model).write_bytes(b"damage")
        camera.only = "2.0.0"
        until(lambda: bad in slots(state).barred)
        camera.only = "1.0.0"
        answered = camera.answered
        until(lambda: camera.answered > answered)
        assert daemon.host.get("squares").active.slot == first
    assert slots(state).active == first
    once(state, Wish("squares", trial=True), lambda *_: None)
    open_active(state, active(state, "squares"), 1)


def test_one_of_several_models_that_fails_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    state: State,
    publisher: Publisher,
) -> None:
    publisher.publish(build(1))
    digits = publisher.publish(build_digits(1))
    for name in ("squares", "digits"):
        once(state, Wish(name), lambda *_: None)

    def refused() -> None:
        raise RefusedError("it decides otherwise today")

    loading_as(monkeypatch, digits.release, refused)
    both: Settings = msgspec.structs.replace(
        QUICK, models={"squares": ModelSettings(), "digits": ModelSettings()}
    )
    camera = Camera()
    with in_thread(state, both, camera) as daemon:
        until(lambda: camera.answered > 0)
        second = publisher.publish(build(2))
        until(lambda: slots(state).phase == "active" and slots(state).previous is not None)
        assert daemon.host.names() == ("squares",)
        assert daemon.host.get("squares").active.slot.release.sha256 == second.release
    assert "digits 1.0.0: it decides otherwise today" in caplog.messages
    assert camera.failed == 0


def test_one_that_fails_with_nothing_to_go_back_to_is_told_everywhere_until_it_runs_again(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: State,
    publisher: Publisher,
) -> None:
    only = publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    failing = [True]

    def today() -> None:
        if failing:
            raise RefusedError("it decides otherwise today")

    loading_as(monkeypatch, only.release, today)
    says = "1.0.0 does not load: it decides otherwise today"
    with in_thread(state, QUICK, Camera()) as daemon:
        until(lambda: slots(state).down == says)
        until(lambda: last_report(state).health == "failing")
        assert (last_report(state).active, last_report(state).reason) == (only.release, says)
        (panel,) = update_panels(load_journal(state.journal))
        assert panel.rows[0] == Row("does not run", says, "bad")
        assert main(["--state", str(state.folder), "status"]) == 0
        assert f"squares: what is active does not run: {says}" in capsys.readouterr().out
        failing.clear()
        until(lambda: "squares" in daemon.host.names() and not slots(state).down)
        until(lambda: last_report(state).health == "ok")
