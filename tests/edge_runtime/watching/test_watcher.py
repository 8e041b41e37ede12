"""One camera and its models: what is seen of them, and what is to be done about it."""

import threading

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import (
    Decisions,
    FileRef,
    Outputs,
    Reference,
    decide,
)
from edge_runtime.contract.referring import reference_of
from edge_runtime.contract.sketching import DECISIONS, INPUTS, decisions_of, inputs_of
from edge_runtime.engines import UInt8, load
from edge_runtime.errors import RefusedError
from edge_runtime.hosting import Host, Loaded
from edge_runtime.running import Active
from edge_runtime.store import Slot
from edge_runtime.watching import Watcher
from edge_runtime.watching.watcher import CAMERA_EVERY_S, MODEL_EVERY_S

from ..models import THRESHOLD, build, scene


class Clock:
    """A clock that is set."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _pictures(count: int, seed: int, level: int = 0) -> list[UInt8]:
    """Scenes with none, one or two bright squares each, and noise."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        corners = [(int(draw.integers(0, 56)), int(draw.integers(0, 40)))] * int(
            draw.integers(0, 2)
        )
        noise = draw.integers(0, 20, (48, 64, 1))
        found.append(np.clip(scene(*corners) + level + noise, 0, 255).astype(np.uint8))
    return found


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """A detector with the reference of 600 pictures."""
    built = build(1)
    variant = built.release.variants[0]
    files = {name: built.blobs[ref.sha256] for name, ref in variant.files.items()}
    session = load(variant, files, 1)
    pictures = _pictures(600, 0)
    said = [
        decisions_of(decide("detection", session.run(p[None]), 0, 0.05), THRESHOLD)
        for p in pictures
    ]
    reference = reference_of([inputs_of(p) for p in pictures], {variant.name: said}, 1)
    release = msgspec.structs.replace(built.release, reference=reference)
    slot = Slot(FileRef("0" * 64, 1), "1.0.0", 1, variant.name, "onnxruntime", 0)
    return Loaded(Active("branch-1", slot, release, variant), session)


def _shown(watcher: Watcher, clock: Clock, loaded: Loaded, pictures: list[UInt8]) -> None:
    host = Host((watcher.tap,))
    host.put("squares", loaded)
    for picture in pictures:
        clock.seconds += MODEL_EVERY_S
        host.run("squares", picture[None])


def test_pictures_as_before_are_no_drift_and_brighter_ones_are(loaded: Loaded) -> None:
    clock = Clock()
    watcher = Watcher(clock)
    _shown(watcher, clock, loaded, _pictures(300, 1))
    summary = watcher.summary()
    assert summary.route == "none"
    assert summary.camera is None
    model = summary.models["squares"]
    assert (model.calls, model.failed, model.pictures) == (300, 0, 300)
    assert {signal.verdict for signal in model.signals.values()} == {"ok"}
    assert set(model.signals) == {*INPUTS, *DECISIONS, "together"}
    _shown(watcher, clock, loaded, _pictures(300, 2, level=60))
    summary = watcher.summary()
    assert summary.route == "relabel"
    assert summary.models["squares"].signals["brightness"].verdict == "drifting"


def test_what_is_seen_through_a_camera_at_fault_is_no_drift(loaded: Loaded) -> None:
    clock = Clock()
    watcher = Watcher(clock)
    _shown(watcher, clock, loaded, _pictures(240, 1))
    blue = np.full((48, 64, 3), 90, np.uint8)
    for _ in range(5):
        clock.seconds += CAMERA_EVERY_S
        watcher.picture(blue)
    _shown(watcher, clock, loaded, [blue] * 300)
    summary = watcher.summary()
    assert summary.route == "fix camera"
    assert summary.camera is not None
    assert (summary.camera.fault, summary.camera.since) == ("no signal", 242.5)
    assert summary.models["squares"].pictures == 240
    assert {s.verdict for s in summary.models["squares"].signals.values()} == {"ok"}


def test_a_camera_speaks_for_what_its_own_thread_shows(loaded: Loaded) -> None:
    clock = Clock()
    watcher = Watcher(clock)
    watcher.open("lobby", None, 1000)
    blue = np.full((48, 64, 3), 90, np.uint8)
    for _ in range(5):
        clock.seconds += CAMERA_EVERY_S
        watcher.picture(blue, "lobby")
    _shown(watcher, clock, loaded, _pictures(5, 1))
    assert watcher.summary().models["squares"].pictures == 0
    requests = threading.Thread(target=_shown, args=(watcher, clock, loaded, _pictures(5, 1)))
    requests.start()
    requests.join()
    assert watcher.summary().models["squares"].pictures == 5


def test_a_camera_that_shows_nothing_has_no_signal_unless_it_has_ended() -> None:
    clock = Clock()
    watcher = Watcher(clock)
    watcher.open("door", None, 30)
    watcher.open("lobby", None, 30)
    clock.seconds = 20
    watcher.picture(_pictures(1, 0)[0], "lobby")
    clock.seconds = 31
    summary = watcher.summary()
    assert not isinstance(summary.cameras, msgspec.UnsetType)
    assert {name: camera.fault for name, camera in summary.cameras.items()} == {
        "door": "no signal",
        "lobby": None,
    }
    assert (summary.route, summary.camera) == ("fix camera", summary.cameras["door"])
    watcher.end("door")
    assert watcher.summary().route == "none"
    watcher.close("door")
    watcher.close("lobby")
    assert watcher.summary().cameras is msgspec.UNSET


def test_it_looks_now_and_then_and_counts_all(loaded: Loaded) -> None:
    clock = Clock()
    watcher = Watcher(clock)
    outputs: Outputs = loaded.session.run(scene()[None])
    for picture in _pictures(100, 0):  # no two alike: that would be a frozen camera
        clock.seconds += MODEL_EVERY_S / 10
        watcher.tap(loaded, picture[None], outputs)
        watcher.picture(picture)
    watcher.tap(loaded, scene()[None], RefusedError("it fails"))
    summary = watcher.summary()
    model = summary.models["squares"]
    assert (model.calls, model.failed) == (101, 1)
    assert model.pictures == pytest.approx(10, abs=1)
    assert summary.camera is not None
    assert summary.camera.pictures == pytest.approx(20, abs=3)


def test_a_reference_of_before_says_nothing_of_how_figures_go_together(loaded: Loaded) -> None:
    reference = loaded.active.release.reference
    assert isinstance(reference, Reference)
    said = {
        name: msgspec.structs.replace(one, together=msgspec.UNSET)
        for name, one in reference.said.items()
    }
    before = msgspec.structs.replace(reference, said=said)
    release = msgspec.structs.replace(loaded.active.release, reference=before)
    active = Active("branch-1", loaded.active.slot, release, loaded.active.variant)
    clock = Clock()
    watcher = Watcher(clock)
    _shown(watcher, clock, Loaded(active, loaded.session), _pictures(3, 1))
    assert set(watcher.summary().models["squares"].signals) == {*INPUTS, *DECISIONS}


def test_another_release_begins_anew_and_without_a_reference_nothing_is_compared(
    loaded: Loaded,
) -> None:
    clock = Clock()
    watcher = Watcher(clock)
    _shown(watcher, clock, loaded, _pictures(60, 1))
    before = msgspec.structs.replace(loaded.active.release, reference=msgspec.UNSET)
    slot = msgspec.structs.replace(loaded.active.slot, release=FileRef("1" * 64, 1))
    other = Loaded(Active("branch-1", slot, before, loaded.active.variant), loaded.session)
    _shown(watcher, clock, other, _pictures(3, 1))
    model = watcher.summary().models["squares"]
    assert (model.release, model.calls, model.signals) == ("1" * 64, 3, {})


def test_a_variant_that_was_not_measured_is_compared_by_its_inputs_only(loaded: Loaded) -> None:
    reference = loaded.active.release.reference
    assert isinstance(reference, Reference)
    known = msgspec.structs.replace(reference, said={})
    release = msgspec.structs.replace(loaded.active.release, reference=known)
    active = Active("branch-1", loaded.active.slot, release, loaded.active.variant)
    watcher = Watcher(Clock())
    watcher.tap(Loaded(active, loaded.session), scene()[None], loaded.session.run(scene()[None]))
    signals = watcher.summary().models["squares"].signals
    assert set(signals) == {"brightness", "contrast", "colour", "sharpness"}


def test_outputs_that_are_none_count_as_failed(loaded: Loaded) -> None:
    watcher = Watcher(Clock())
    wrong = {"boxes": np.zeros((1, 1, 4)), "scores": np.full((1, 1), np.nan)}
    watcher.tap(loaded, scene()[None], {**wrong, "labels": np.zeros((1, 1))})
    model = watcher.summary().models["squares"]
    assert (model.calls, model.failed) == (1, 1)
    assert decisions_of(Decisions((), ()), 0.5)["leading"] == -1
