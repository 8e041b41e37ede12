"""A real daemon with live pictures, a real published tree, a real updater process."""

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_runtime.cli import main
from edge_runtime.contract import Report, SignedReport, decode
from edge_runtime.daemon.settings import DwellSettings, PollSettings, ShadowSettings
from edge_runtime.state import State
from edge_runtime.update import Wish, once

from ..models import build, squares_onnx
from ..publishing import Publisher
from .running import QUICK, Camera, in_thread, slots, until

pytestmark = pytest.mark.component

LONELY = msgspec.structs.replace(QUICK, poll=PollSettings(interval_s=86400))  # no poll of its own


def odd_onnx(factor: float) -> bytes:
    """The squares' detector, its scores × `factor` where a lone square lies right of x = 24: a
    release that the golden pictures cannot tell from a good one."""
    model = onnx.load_from_string(squares_onnx())
    graph, node = model.graph, helper.make_node
    for number, found in enumerate(graph.node):
        if found.op_type == "TopK":
            graph.node[number].output[0] = "plain"
    constants: dict[str, npt.NDArray[np.generic]] = {
        "first": np.array([0], np.int64),
        "next": np.array([1], np.int64),
        "dark": np.array(0.5, np.float32),
        "middle": np.array(24, np.int64),
        "odd": np.array(factor, np.float32),
        "even": np.array(1, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items())
    graph.node.extend(
        [
            node("Gather", ["plain", "next"], ["second"], axis=1),
            node("Gather", ["column", "first"], ["left"], axis=1),
            node("Less", ["second", "dark"], ["alone"]),
            node("Greater", ["left", "middle"], ["right"]),
            node("And", ["alone", "right"], ["is_odd"]),
            node("Where", ["is_odd", "odd", "even"], ["factor"]),
            node("Mul", ["plain", "factor"], ["scores"]),
        ]
    )
    data: bytes = model.SerializeToString()
    return data


def last_report(state: State) -> Report:
    """The newest report in the outbox."""
    newest = max(state.outbox.iterdir(), key=lambda path: path.name)
    return decode(decode(newest.read_bytes(), SignedReport, "it").payload, Report, "it")


def test_a_new_release_is_shadowed_on_live_pictures_and_committed(
    state: State, publisher: Publisher
) -> None:
    first, camera = publisher.publish(build(1)), Camera()
    with in_thread(state, QUICK, camera) as daemon:
        until(lambda: slots(state).phase == "active" and camera.answered > 0)
        assert slots(state).proof == "golden self-test alone: nothing ran before"
        second = publisher.publish(build(2))
        until(lambda: slots(state).phase == "active" and slots(state).previous is not None)
        found = slots(state)
        assert found.active is not None
        assert found.previous is not None
        assert (found.active.release.sha256, found.previous.release.sha256) == (
            second.release,
            first.release,
        )
        assert found.proof.startswith("shadowed: 0 of ")
        assert daemon.host.get("squares").active.release.version == "2.0.0"
    assert (camera.failed, slots(state).starts) == (0, {})
    report = last_report(state)
    assert (report.phase, report.active) == ("active", second.release)


def ask(state: State) -> str:
    """What the poll of a daemon comes to."""
    return once(state, Wish("squares", trial=True), lambda *_: None).outcome


def test_a_release_that_disagrees_on_live_pictures_is_refused_and_not_tried_again(
    state: State, publisher: Publisher
) -> None:
    first, camera = publisher.publish(build(1)), Camera()
    once(state, Wish("squares"), lambda *_: None)
    with in_thread(state, LONELY, camera) as daemon:
        until(lambda: camera.answered > 0)
        bad = publisher.publish(build(2, {"onnx-fp32": odd_onnx(0.1)}))
        assert ask(state) == "trial"
        until(lambda: bad.release in slots(state).barred)
        assert ask(state) == "barred"
        assert daemon.host.get("squares").active.slot.release.sha256 == first.release
        report = last_report(state)
        assert (report.phase, report.offered, report.active) == (
            "failed",
            bad.release,
            first.release,
        )
        assert "live pictures decided otherwise" in report.reason
        publisher.publish(build(3))
        assert ask(state) == "trial"
        until(lambda: slots(state).phase == "active")
        assert daemon.host.get("squares").active.release.version == "3.0.0"
    assert camera.failed == 0


def test_nan_on_probation_goes_back_at_once_and_nobody_gets_it(
    state: State, publisher: Publisher
) -> None:
    """In a quiet hour: no picture comes while the release is on trial."""
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    publisher.publish(build(2, {"onnx-fp32": odd_onnx(float("nan"))}))
    once(state, Wish("squares", trial=True), lambda *_: None)
    bad, camera = slots(state).trial, Camera(only="2.0.0")
    assert bad is not None
    quiet = msgspec.structs.replace(
        LONELY,
        shadow=ShadowSettings(spacing_s=0, wait_s=0.1),
        dwell=DwellSettings(seconds=600),
    )
    with in_thread(state, quiet, camera) as daemon:
        until(lambda: bad.release.sha256 in slots(state).barred)
        assert daemon.host.get("squares").active.release.version == "1.0.0"
    assert camera.failed >= 1
    assert slots(state).reason.endswith("scores are not finite numbers")


def test_a_rollback_by_hand_is_followed(
    state: State, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        publisher.publish(build(number))
        once(state, Wish("squares"), lambda *_: None)
    left = slots(state).active
    assert left is not None
    with in_thread(state, LONELY, Camera()) as daemon:
        until(lambda: daemon.host.names() == ("squares",))
        assert main(["--state", str(state.folder), "rollback", "--model", "squares"]) == 0
        until(lambda: daemon.host.get("squares").active.release.version == "1.0.0")
    assert "2.0.0 is not taken again here" in capsys.readouterr().out
    assert once(state, Wish("squares", trial=True), lambda *_: None).outcome == "barred"
    assert last_report(state).reason == "2.0.0 was rolled back by hand"
    publisher.publish(build(3))
    assert once(state, Wish("squares", trial=True), lambda *_: None).outcome == "trial"
    assert main(["--state", str(state.folder), "status"]) == 0
    assert "on trial 3.0.0" in capsys.readouterr().out


def test_a_rollback_needs_somewhere_to_go(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    assert main(["--state", str(state.folder), "rollback", "--model", "squares"]) == 3


def test_a_damaged_previous_release_is_not_gone_back_to(state: State, publisher: Publisher) -> None:
    built = build(1)
    publisher.publish(built)
    once(state, Wish("squares"), lambda *_: None)
    publisher.publish(build(2, {"onnx-fp32": squares_onnx(gain=1.001)}))
    once(state, Wish("squares"), lambda *_: None)
    state.contents.path(built.release.variants[0].files["model.onnx"]).write_bytes(b"damage")
    assert main(["--state", str(state.folder), "rollback", "--model", "squares"]) == 6
    active = slots(state).active
    assert active is not None
    assert active.version == "2.0.0"
