"""The daemon as the process that systemd starts: signals, hangs, crash loops, a second one."""

import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.contract import FileRef, digest
from edge_runtime.daemon import logs
from edge_runtime.state import State
from edge_runtime.store import ModelSlots, load_journal, save_journal
from edge_runtime.store.journal import copies
from edge_runtime.store.slots import begin, note_start
from edge_runtime.update import Wish, once

from ..models import Built, build, squares_onnx
from ..publishing import Publisher
from .running import process, slots, until

pytestmark = pytest.mark.component


def events(state: State) -> list[str]:
    """What the daemon has logged so far."""
    return [json.loads(line).get("event", "") for line in logs.read(state.logs)]


def change(state: State, step: Callable[[ModelSlots], ModelSlots]) -> None:
    """Write a step into the journal."""
    journal = load_journal(state.journal)
    save_journal(state.journal, journal.with_model("squares", step(journal.of("squares"))))


def hanging(sequence: int) -> Built:
    """A release whose model never ends its first run."""
    built = build(sequence, {"onnx-fp32": squares_onnx(gain=1 + sequence / 1e6)})
    model = onnx.load_from_string(squares_onnx())
    scalar = [helper.make_tensor_value_info(n, TensorProto.INT64, []) for n in ("n", "was")]
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    body = helper.make_graph(
        [
            helper.make_node("Constant", [], ["on"], value=true),
            helper.make_node("Add", ["was", "n"], ["is"]),
        ],
        "for_ever",
        [scalar[0], helper.make_tensor_value_info("go", TensorProto.BOOL, []), scalar[1]],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("is", TensorProto.INT64, []),
        ],
    )
    pick = next(node for node in model.graph.node if node.op_type == "TopK")
    start = helper.make_tensor("start", TensorProto.INT64, [], [0])
    times = helper.make_tensor("times", TensorProto.INT64, [], [2**62])
    model.graph.initializer.extend([start, times])
    loop = helper.make_node("Loop", ["times", "", "seed"], ["spun"], body=body)
    number = list(model.graph.node).index(pick)
    nodes = list(model.graph.node)
    pick.output[1] = "first_index"
    seed = [
        helper.make_node("ReduceMax", ["first_index"], ["seed"], keepdims=0),
        loop,
        helper.make_node("Add", ["first_index", "spun"], ["index"]),
    ]
    del model.graph.node[:]
    model.graph.node.extend([*nodes[: number + 1], *seed, *nodes[number + 1 :]])
    data = model.SerializeToString()
    ref = FileRef(digest(data), len(data))
    variant = msgspec.structs.replace(built.release.variants[0], files={"model.onnx": ref})
    release = msgspec.structs.replace(built.release, variants=(variant,))
    return Built(release, {**built.blobs, ref.sha256: data})


def test_it_tells_systemd_reloads_on_hup_and_ends_well_on_term(
    state: State, publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)

        def hear(what: str) -> None:
            while not any(line.startswith(what) for line in told):
                told.extend(systemd.recv(4096).decode().splitlines())

        with process(state, notify=tmp_path / "notify") as running:
            hear("READY=1")
            assert "WATCHDOG=1" in told
            state.settings.write_text("[pol]\n")
            running.send_signal(signal.SIGHUP)
            hear("RELOADING=1")
            until(lambda: "reload-failed" in events(state))
            state.settings.write_text("[poll]\ninterval_s = 60\n")
            running.send_signal(signal.SIGHUP)
            until(lambda: "reload" in events(state))
            running.send_signal(signal.SIGTERM)
            hear("STOPPING=1")
            assert running.wait(60) == 0
    assert events(state)[-1] == "stop"
    assert slots(state).starts == {}


def test_a_second_daemon_ends_with_one_line(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    with process(state) as first:
        until(lambda: "serving" in events(state))
        with process(state) as second:
            _, said = second.communicate(timeout=60)
            assert second.returncode == 6
            assert f"has a daemon already, process {first.pid}".encode() in said
            assert said.count(b"\n") == 1
        assert first.poll() is None


def test_an_update_that_hangs_is_killed_and_given_up_after_three_times(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    bad = publisher.publish(hanging(2))
    change(state, lambda slots: note_start(note_start(slots, bad.release, 1.0), bad.release, 2.0))
    with process(state, deadline=8) as running:
        until(lambda: bad.release in slots(state).barred)
        assert running.poll() is None
    assert "begun 3 times here and never ended" in slots(state).reason
    assert any("was killed" in line for line in logs.read(state.logs))
    active = slots(state).active
    assert active is not None
    assert active.version == "1.0.0"


def test_a_release_that_kills_the_daemon_on_probation_is_left_after_three_starts(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    bad = publisher.publish(build(2))
    once(state, Wish("squares", trial=True), lambda *_: None)
    change(state, lambda slots: begin(slots, "by the test"))
    for _ in range(2):
        change(state, lambda slots: note_start(slots, bad.release, time.time()))
    with process(state, dwell=3600) as running:
        until(lambda: len(slots(state).starts[bad.release]) == 3)
        running.kill()  # as the kernel does when memory runs out
    with process(state):
        until(lambda: bad.release in slots(state).barred)
        until(lambda: "serving" in events(state)[events(state).index("gave-up") :])
    active = slots(state).active
    assert active is not None
    assert active.version == "1.0.0"
    assert "a crash loop" in slots(state).reason


def test_a_box_without_network_goes_on_with_what_it_has(
    state: State, publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    (publisher.folder / "metadata").rename(tmp_path / "gone")
    with process(state) as running:
        until(lambda: events(state).count("polled") > 1)
        assert running.poll() is None
        assert "serving" in events(state)
        (tmp_path / "gone").rename(publisher.folder / "metadata")
        publisher.publish(build(2))
        until(lambda: "committed" in events(state))


def test_a_damaged_journal_is_made_anew_without_network(
    state: State, publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    (publisher.folder / "metadata").rename(tmp_path / "gone")
    for copy in copies(state.journal):
        copy.write_bytes(copy.read_bytes()[:-9])
    with process(state):
        until(lambda: "serving" in events(state))
    active = slots(state).active
    assert active is not None
    assert active.version == "1.0.0"
    assert "made anew" in slots(state).reason
