"""A real daemon with live pictures, a real published tree, a real updater process."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_runtime.contract import Report, SignedReport, decode
from edge_runtime.daemon.settings import DwellSettings
from edge_runtime.state import State

from ..models import build, squares_onnx
from ..publishing import Publisher
from ..serving import Server
from .running import QUICK, Camera, in_thread, slots, until

pytestmark = pytest.mark.component


def shy_onnx() -> bytes:
    """Decides as it should about the golden pictures, but not where a square is at x from 24 on
    and there is but one: what a golden test cannot know. (Scores of the lone square are dimmed.)"""
    return _with_scores_through(squares_onnx(), _dim_when_right_and_alone)


def nan_onnx() -> bytes:
    """As the squares' detector, but scores are NaN where a lone square is at x from 24 on."""
    return _with_scores_through(squares_onnx(), _nan_when_right_and_alone)


def _with_scores_through(model: bytes, tail: object) -> bytes:
    """The model with its scores × a factor that `tail` makes of scores and boxes."""
    found = onnx.load_from_string(model)
    graph = found.graph
    for node in graph.node:
        for k, name in enumerate(node.output):
            if name == "scores":
                node.output[k] = "plain"
    assert callable(tail)
    tail(graph)
    data: bytes = found.SerializeToString()
    return data


def _constant(graph: onnx.GraphProto, name: str, value: object) -> str:
    graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    return name


def _factor(graph: onnx.GraphProto, high: float) -> None:
    """`scores` = `plain`, × `high` where the best is right of 24 and the second is dark."""
    node = helper.make_node
    for name, value in {
        "i0": np.array([0], np.int64),
        "i1": np.array([1], np.int64),
        "dark": np.float32(0.5),
        "middle": np.float32(24),
        "high": np.float32(high),
        "as_is": np.float32(1),
    }.items():
        _constant(graph, name, value)
    graph.node.extend(
        [
            node("Gather", ["plain", "i1"], ["second"], axis=1),
            node("Gather", ["column", "i0"], ["left"], axis=1),
            node("Cast", ["left"], ["leftf"], to=onnx.TensorProto.FLOAT),
            node("Less", ["second", "dark"], ["alone"]),
            node("Greater", ["leftf", "middle"], ["right"]),
            node("And", ["alone", "right"], ["odd"]),
            node("Where", ["odd", "high", "as_is"], ["factor"]),
            node("Mul", ["plain", "factor"], ["scores"]),
        ]
    )


def _dim_when_right_and_alone(graph: onnx.GraphProto) -> None:
    _factor(graph, 0.1)


def _nan_when_right_and_alone(graph: onnx.GraphProto) -> None:
    _factor(graph, float("nan"))


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


def test_a_release_that_disagrees_on_live_pictures_is_refused_and_not_tried_again(
    state: State, publisher: Publisher, server: Server
) -> None:
    first, camera = publisher.publish(build(1)), Camera()
    with in_thread(state, QUICK, camera) as daemon:
        until(lambda: slots(state).phase == "active" and camera.answered > 0)
        bad = publisher.publish(build(2, {"onnx-fp32": shy_onnx()}))
        until(lambda: bad.release in slots(state).barred)
        polls = len([path for path, _ in server.asked if path.endswith("timestamp.json")])
        until(lambda: sum(p.endswith("timestamp.json") for p, _ in server.asked) > polls + 2)
        assert daemon.host.get("squares").active.slot.release.sha256 == first.release
        assert slots(state).trial is None
        report = last_report(state)
        assert (report.phase, report.offered, report.active) == (
            "failed",
            bad.release,
            first.release,
        )
        assert "live pictures decided otherwise" in report.reason
        good = publisher.publish(build(3))
        until(lambda: slots(state).phase == "active")
        active = slots(state).active
        assert active is not None
        assert active.release.sha256 == good.release
    assert camera.failed == 0


def test_nan_on_probation_goes_back_at_once_and_nobody_gets_it(
    state: State, publisher: Publisher
) -> None:
    """The trial is not shadowed here: no pictures come until it runs, as in a quiet hour."""
    first, camera = publisher.publish(build(1)), Camera()
    quiet = msgspec.structs.replace(
        QUICK,
        shadow=msgspec.structs.replace(QUICK.shadow, wait_s=0.1, least=1_000, most=1_000),
        dwell=DwellSettings(seconds=600),
    )
    publisher.publish(build(1))
    with in_thread(state, QUICK, Camera()):
        until(lambda: slots(state).phase == "active")
    bad = publisher.publish(build(2, {"onnx-fp32": nan_onnx()}))
    with in_thread(state, quiet, camera) as daemon:
        until(lambda: bad.release in slots(state).barred)
        assert daemon.host.get("squares").active.slot.release.sha256 == first.release
    assert camera.failed >= 1
    assert slots(state).reason.endswith("scores are not finite numbers")


def test_what_is_blocked_on_the_server_or_rolled_back_by_hand_is_followed(
    state: State, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_runtime.cli import main

    first, camera = publisher.publish(build(1)), Camera()
    with in_thread(state, QUICK, camera) as daemon:
        until(lambda: slots(state).phase == "active")
        second = publisher.publish(build(2))
        until(lambda: slots(state).phase == "active" and slots(state).previous is not None)
        command = ["--state", str(state.folder), "rollback", "--model", "squares"]
        until(lambda: main(command) == 0)  # 6 while an update is at work
        until(lambda: daemon.host.get("squares").active.slot.release.sha256 == first.release)
        until(lambda: "again" in slots(state).reason or slots(state).phase == "failed")
        assert second.release in slots(state).barred
        third = publisher.publish(build(3))
        until(lambda: slots(state).phase == "active")
        active = slots(state).active
        assert active is not None
        assert active.release.sha256 == third.release
    capsys.readouterr()
    assert main(["--state", str(state.folder), "logs", "--since", "1h"]) == 0
    assert Path(state.logs).is_dir() is False or capsys.readouterr().out
