"""A host keeps models by name and replaces them while requests run."""

import dataclasses
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge_runtime.cli import main
from edge_runtime.contract import FileRef, Outputs
from edge_runtime.engines import InputTensor, Session, UInt8, load
from edge_runtime.errors import EdgeRuntimeError, MissingError, RefusedError
from edge_runtime.hosting import Host, Loaded, give_back_memory, load_active
from edge_runtime.running import Active, active
from edge_runtime.state import State
from edge_runtime.store import Slot

from .models import HEIGHT, WIDTH, build, scene, squares_onnx
from .publishing import Publisher

EMPTY = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)


def _loaded(sequence: int) -> Loaded:
    built = build(sequence)
    variant = built.release.variants[0]
    files = {name: built.blobs[ref.sha256] for name, ref in variant.files.items()}
    slot = Slot(
        FileRef("0" * 64, 1), built.release.version, sequence, variant.name, "onnxruntime", 0
    )
    return Loaded(Active("branch-1", slot, built.release, variant), load(variant, files, 1))


@dataclass
class _Slow:
    """A session that waits within a request until it is let go."""

    session: Session
    entered: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def input(self) -> InputTensor:
        return self.session.input

    def run(self, batch: UInt8) -> Outputs:
        self.entered.set()
        assert self.let_go.wait(30)
        return self.session.run(batch)


def test_what_runs_is_named_with_its_outputs() -> None:
    host = Host()
    first = _loaded(1)
    host.put("squares", first)
    who, outputs = host.run("squares", EMPTY)
    assert who is first
    assert set(outputs) == {"boxes", "scores", "labels"}
    assert host.names() == ("squares",)


def test_a_model_that_is_not_loaded_is_missing_by_name() -> None:
    host = Host()
    host.put("squares", _loaded(1))
    with pytest.raises(MissingError, match=r"no model 'circles' .*loaded: squares"):
        host.run("circles", EMPTY)
    host.drop("squares")
    with pytest.raises(MissingError, match="loaded: none"):
        host.get("squares")


def test_a_request_ends_on_the_model_that_it_began_with() -> None:
    host = Host()
    first = _loaded(1)
    slow = _Slow(first.session)
    host.put("squares", Loaded(first.active, slow))
    found: list[int] = []

    def request() -> None:
        found.append(host.run("squares", EMPTY)[0].active.release.sequence)

    running = threading.Thread(target=request)
    running.start()
    assert slow.entered.wait(30)
    host.put("squares", _loaded(2))
    assert host.run("squares", EMPTY)[0].active.release.sequence == 2
    slow.let_go.set()
    running.join(30)
    assert found == [1]


def test_taps_hear_of_outputs_and_of_failures() -> None:
    heard: list[Outputs | EdgeRuntimeError] = []
    host = Host((lambda _loaded, _batch, result: heard.append(result),))
    host.put("squares", _loaded(1))
    _, outputs = host.run("squares", EMPTY)
    with pytest.raises(RefusedError):
        host.run("squares", EMPTY[:, :-1])
    assert heard[0] is outputs
    assert isinstance(heard[1], RefusedError)


@pytest.mark.component
@pytest.mark.parametrize("variant", ["onnx-fp32", "openvino-fp32"])
def test_releases_take_each_others_place_under_load(
    variant: str, state: State, publisher: Publisher
) -> None:
    """The short form of benchmarks/swap_soak.py."""
    actives = []
    for sequence, gain in ((1, 1.0), (2, 0.95)):
        publisher.publish(build(sequence, {variant: squares_onnx(gain=gain)}))
        assert main(["--state", str(state.folder), "once", "--model", "squares"]) == 0
        actives.append(active(state, "squares"))
    host, picture = Host(), scene((8, 8))[None]
    host.put("squares", load_active(state, actives[0], 1))
    wrong: list[object] = []
    asked: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.002):  # the loader needs the processor, too
            try:
                who, outputs = host.run("squares", picture)
            except EdgeRuntimeError as error:
                wrong.append(error)
                continue
            expected = 1.0 if who.active.release.sequence == 1 else 0.95
            del who  # else what runs no more would be held until the next answer
            asked.append(1)
            if outputs["scores"].max() != pytest.approx(expected, abs=0.01):
                wrong.append((expected, outputs))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 7):
        host.put("squares", load_active(state, actives[number % 2], 1))
        give_back_memory()
    done.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert len(asked) > 6


@pytest.mark.component
def test_what_decides_otherwise_here_is_not_loaded(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1))
    assert main(["--state", str(state.folder), "once", "--model", "squares"]) == 0
    good = active(state, "squares")
    other = build(2, {"onnx-fp32": squares_onnx(gain=0.5)}, name="other").release.variants[0]
    for data in build(2, {"onnx-fp32": squares_onnx(gain=0.5)}).blobs.values():
        state.contents.put(data)
    with pytest.raises(RefusedError, match="decides otherwise here"):
        load_active(state, dataclasses.replace(good, variant=other), 1)
