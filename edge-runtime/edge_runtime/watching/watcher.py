"""One camera and the models that look through it, watched while they run."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import UnsetType

from edge_runtime.contract import CameraWatch, ModelWatch, Outputs, Route, Sketch, Watch, decide
from edge_runtime.contract.sketching import DECISIONS, INPUTS, LOWEST_SCORE, decisions_of, inputs_of
from edge_runtime.contract.together import FIGURES
from edge_runtime.engines import UInt8
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hosting import Loaded
from edge_runtime.watching.camera import Camera, view_of
from edge_runtime.watching.drift import Figure, Joint

MODEL_EVERY_S = 1.0
CAMERA_EVERY_S = 0.5
_NEVER = float("-inf")


@dataclass
class _Model:
    """What is known of one release of a model; `figures` is empty where it has no reference, and
    `joint` None where that says nothing of how they go together."""

    loaded: Loaded
    figures: dict[str, Figure]
    joint: Joint | None = None
    calls: int = 0
    failed: int = 0
    pictures: int = 0
    last: float = field(default=_NEVER)


class Watcher:
    """Watches the pictures of one camera and, as a `hosting.Tap`, the models that see them.

    A model is looked at once in MODEL_EVERY_S, the camera once in CAMERA_EVERY_S, by `clock`
    (seconds; of a recording, its own time): some 0.4 ms of a call, 7 ms of a picture. What a model
    sees while the camera is at fault does not count as drift. Safe to call from several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._camera: Camera | None = None
        self._since: float | None = None
        self._camera_last = _NEVER
        self._models: dict[str, _Model] = {}

    def tap(self, loaded: Loaded, batch: UInt8, result: Outputs | EdgeRuntimeError) -> None:
        """Count an inference; now and then look at the first picture of its batch (uint8
        [N,h,w,3]) and what was decided about it."""
        now = self._clock()
        with self._lock:
            model = self._model(loaded)
            model.calls += 1
            if isinstance(result, EdgeRuntimeError):
                model.failed += 1
                return
            at_fault = self._camera is not None and self._camera.fault is not None
            if at_fault or now - model.last < MODEL_EVERY_S:
                return
            model.last = now
            model.pictures += 1
            if not model.figures:
                return
        release = loaded.active.release
        try:
            found = decide(release.task, result, 0, LOWEST_SCORE)
        except EdgeRuntimeError:  # outputs that are none: a failure, whoever else says so
            with self._lock:
                model.failed += 1
            return
        values = inputs_of(batch[0])
        values |= decisions_of(found, release.operating_point.score_threshold)
        with self._lock:
            model.figures = {name: f.step(values[name]) for name, f in model.figures.items()}
            model.joint = model.joint and model.joint.step(values)

    def picture(self, picture: UInt8) -> None:
        """Look at a picture of the camera (uint8 [H,W,3], RGB), now and then."""
        now = self._clock()
        with self._lock:
            if now - self._camera_last < CAMERA_EVERY_S:
                return
            self._camera_last = now
            before = self._camera or Camera()
            self._camera = before.step(view_of(picture))
            if self._camera.fault != before.fault:
                self._since = now if self._camera.fault else None

    def summary(self) -> Watch:
        """What was seen, and what to do about it."""
        with self._lock:
            camera, models = self._camera, dict(self._models)
            since = self._since
        seen = {name: _said(model) for name, model in models.items()}
        told = None
        if camera is not None:
            rounded = None if since is None else round(since, 3)
            told = CameraWatch(camera.fault, rounded, camera.pictures, dict(camera.seen))
        return Watch(_route(told, seen), told, seen)

    def _model(self, loaded: Loaded) -> _Model:
        """What is kept of `loaded`; begun anew when another release or variant runs."""
        name = loaded.active.release.name
        known = self._models.get(name)
        if known is None or known.loaded is not loaded:
            sketches = _sketches(loaded)
            figures = {figure: Figure(sketch) for figure, sketch in sketches.items()}
            known = _Model(loaded, figures, _joint(loaded, sketches))
            self._models[name] = known
        return known


def _sketches(loaded: Loaded) -> dict[str, Sketch]:
    """The release's sketches by figure; those of decisions only where this variant has them."""
    reference = loaded.active.release.reference
    if isinstance(reference, UnsetType):
        return {}
    found: dict[str, Sketch] = {name: getattr(reference.saw, name) for name in INPUTS}
    said = reference.said.get(loaded.active.slot.variant)
    return found if said is None else found | {name: getattr(said, name) for name in DECISIONS}


def _joint(loaded: Loaded, sketches: dict[str, Sketch]) -> Joint | None:
    reference = loaded.active.release.reference
    if isinstance(reference, UnsetType):
        return None
    said = reference.said.get(loaded.active.slot.variant)
    if said is None or isinstance(said.together, UnsetType):
        return None
    return Joint(said.together, tuple(sketches[name] for name in FIGURES))


def _said(model: _Model) -> ModelWatch:
    signals = {name: figure.belief.said() for name, figure in model.figures.items()}
    if model.joint is not None:
        signals["together"] = model.joint.belief.said()
    return ModelWatch(
        release=model.loaded.active.slot.release.sha256,
        variant=model.loaded.active.slot.variant,
        calls=model.calls,
        failed=model.failed,
        pictures=model.pictures,
        signals=signals,
    )


def _route(camera: CameraWatch | None, models: dict[str, ModelWatch]) -> Route:
    """A camera at fault explains whatever the models see, so it comes first."""
    if camera is not None and camera.fault is not None:
        return "fix camera"
    drifts = any(s.verdict == "drifting" for m in models.values() for s in m.signals.values())
    return "relabel" if drifts else "none"
