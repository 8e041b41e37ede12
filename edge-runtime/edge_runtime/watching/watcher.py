"""Cameras and the models that look through them, watched while they run."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import UNSET, UnsetType

from edge_runtime.contract import CameraWatch, ModelWatch, Outputs, Route, Sketch, Watch, decide
from edge_runtime.contract.sketching import DECISIONS, INPUTS, LOWEST_SCORE, decisions_of, inputs_of
from edge_runtime.contract.together import FIGURES
from edge_runtime.engines import UInt8
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hosting import Loaded
from edge_runtime.watching.camera import Background, Camera, view_of
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


@dataclass
class _Eye:
    """What is known of one camera. Where it has a `patience` (seconds), it is expected to show a
    picture within that time; `seen` is when it last did, or was opened."""

    camera: Camera = field(default_factory=Camera)
    since: float | None = None
    last: float = _NEVER
    seen: float = _NEVER
    patience: float | None = None


class Watcher:
    """Watches the pictures of cameras and, as a `hosting.Tap`, the models that see them.

    A model is looked at once in MODEL_EVERY_S, a camera once in CAMERA_EVERY_S, by `clock`
    (seconds; of a recording, its own time): some 0.4 ms of a call, 7 ms of a picture. What a model
    sees does not count as drift while the camera is at fault whose picture the same thread has
    shown last. Safe to call from several threads; of one camera, from one at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._eyes: dict[str, _Eye] = {}
        self._here = threading.local()
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
            eye = self._eyes.get(getattr(self._here, "camera", ""))
            at_fault = eye is not None and eye.camera.fault is not None
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

    def open(self, camera: str, background: Background | None, patience: float) -> None:
        """Expect pictures of `camera`, one within `patience` seconds at least; where none comes it
        has `no signal`. What it showed before is its `background`, None: it is learned anew."""
        now = self._clock()
        with self._lock:
            self._eyes[camera] = _Eye(Camera(background=background), seen=now, patience=patience)

    def end(self, camera: str) -> None:
        """Expect no more pictures of `camera`; what was seen is still told."""
        with self._lock:
            if camera in self._eyes:
                self._eyes[camera].patience = None

    def close(self, camera: str) -> None:
        """Forget `camera`."""
        with self._lock:
            self._eyes.pop(camera, None)

    def background(self, camera: str) -> Background | None:
        """What `camera` usually shows; None until that is known."""
        with self._lock:
            eye = self._eyes.get(camera)
            return None if eye is None else eye.camera.background

    def picture(self, picture: UInt8, camera: str = "") -> None:
        """Look at a picture of `camera` (uint8 [H,W,3], RGB), now and then. One without a name is
        the only one there is."""
        now = self._clock()
        self._here.camera = camera
        with self._lock:
            eye = self._eyes.setdefault(camera, _Eye())
            eye.seen = now
            if now - eye.last < CAMERA_EVERY_S:
                return
            eye.last = now
            before = eye.camera
        after = before.step(view_of(picture))
        with self._lock:
            eye.camera = after
            if after.fault != before.fault:
                eye.since = now if after.fault else None

    def summary(self) -> Watch:
        """What was seen, and what to do about it."""
        now = self._clock()
        with self._lock:
            models = dict(self._models)
            cameras = {name: _shown(eye, now) for name, eye in sorted(self._eyes.items())}
        seen = {name: _said(model) for name, model in models.items()}
        at_fault = (camera for camera in cameras.values() if camera.fault is not None)
        told = next(at_fault, next(iter(cameras.values()), None))
        named = {name: camera for name, camera in cameras.items() if name}
        return Watch(_route(told, seen), told, seen, named or UNSET)

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


def _shown(eye: _Eye, now: float) -> CameraWatch:
    camera = eye.camera
    fault, since = camera.fault, eye.since
    if eye.patience is not None and now - eye.seen > eye.patience:
        fault, since = "no signal", eye.seen
    return CameraWatch(
        fault, None if since is None else round(since, 3), camera.pictures, dict(camera.seen)
    )


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
