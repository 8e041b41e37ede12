"""A host keeps models by name and replaces them while requests run."""

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge_runtime.contract import FileRef, Outputs
from edge_runtime.engines import Session, UInt8, load
from edge_runtime.engines.loading import InputTensor
from edge_runtime.errors import EdgeRuntimeError, MissingError, RefusedError
from edge_runtime.hosting import Host, Loaded
from edge_runtime.running import Active
from edge_runtime.store import Slot

from .models import HEIGHT, WIDTH, build

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
