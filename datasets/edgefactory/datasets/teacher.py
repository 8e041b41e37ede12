"""The general detector as a teacher: slow, tiled, run once over footage to label it.

A small person is easier to find when it fills more of the network's 300x300 pixels, so the
picture is cut into overlapping square tiles, and taken as a whole too. A box that touches a
tile's inner edge may be a cut person: it is dropped, since a neighbouring tile sees all of it.
What remains is merged by non-maximum suppression. Persons that are larger than the tiles'
overlap, a quarter of the picture's height by default, are found in the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.openvino_core import openvino_core
from edgefactory.datasets.errors import InputError, MissingError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Engine = Literal["onnxruntime", "openvino"]
Precision = Literal["f32", "bf16"]

_SIDE: Final = 300  # of the network's input, pixels
_MAX_TEACHER_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """How the teacher looks at a picture and what it runs on."""

    engine: Engine = "openvino"
    precision: Precision = "f32"  # bf16: OpenVINO only
    threads: int = 1
    tile: float = 0.5  # side of a square tile, as a share of the picture's shorter side
    stride: float = 0.5  # at most, between neighbouring tiles, as a share of the tile
    whole: bool = True  # also one pass over the whole picture: finds what a tile cannot hold
    min_score: float = 0.05  # 0..1, boxes below are not reported
    nms_iou: float = 0.5  # of two boxes that overlap more, the better stays
    edge: float = 2.0  # pixels from an inner tile edge within which a box counts as cut

    def __post_init__(self) -> None:
        if self.engine not in ("onnxruntime", "openvino"):
            raise InputError(f"teacher engine {self.engine!r}: use onnxruntime or openvino")
        if self.precision not in ("f32", "bf16") or (
            self.precision == "bf16" and self.engine != "openvino"
        ):
            raise InputError(f"teacher precision {self.precision!r} on {self.engine}: use f32")
        if not (0.05 <= self.tile <= 1 and 0.1 <= self.stride <= 1 and 1 <= self.threads <= 1024):
            raise InputError("teacher: expected tile 0.05..1, stride 0.1..1, threads 1..1024")
        if not (0 < self.min_score < 1 and 0 < self.nms_iou < 1 and self.edge >= 0):
            raise InputError("teacher: min_score and nms_iou lie between 0 and 1, edge from 0")


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one picture, best first: `boxes` [n,4] xyxy in pixels, `scores` [n]."""

    boxes: Floats
    scores: Floats


class Teacher(Protocol):
    """Anything that finds persons in a picture."""

    def predict(self, picture: Pixels) -> Detections:
        """Detections in `picture`, uint8 [H,W,3] RGB."""
        ...

    def passes_per_frame(self, width: int, height: int) -> int:
        """How often the network runs for a picture of this size."""
        ...


class TiledTeacher:
    """The ONNX person detector of `conversion` run over tiles; a `Teacher`."""

    def __init__(self, model: Path, settings: TeacherSettings | None = None) -> None:
        """Load `model` (an ONNX file of `fetch_teacher`).

        Raises `InputError` when the file is not such a model, `MissingError` when it or the
        engine is not here.
        """
        self.settings = settings or TeacherSettings()
        content = _read_model(model)
        self._infer = _LOADERS[self.settings.engine](content, model.name, self.settings)

    def passes_per_frame(self, width: int, height: int) -> int:
        """How often the network runs for a picture of this size."""
        return len(tiles(width, height, self.settings))

    def predict(self, picture: Pixels) -> Detections:
        """Detections in `picture`, uint8 [H,W,3] RGB, in its pixels."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise InputError(f"picture {picture.dtype} {picture.shape}: expected uint8 [H,W,3]")
        height, width = picture.shape[:2]
        windows = tiles(width, height, self.settings)
        boxes, scores = self._infer([_scaled(picture[y0:y1, x0:x1]) for x0, y0, x1, y1 in windows])
        return merge(boxes, scores, windows, (width, height), self.settings)


def tiles(width: int, height: int, settings: TeacherSettings) -> list[tuple[int, int, int, int]]:
    """Windows (x0, y0, x1, y1) that cover a picture: overlapping tiles, then perhaps the whole.

    A picture that is not larger than the network's input is seen once, as a whole.
    """
    if max(width, height) <= _SIDE:
        return [(0, 0, width, height)]
    tile = max(1, round(settings.tile * min(width, height)))
    stride = max(1, int(settings.stride * tile + 1e-6))
    found = [
        (x, y, x + tile, y + tile)
        for y in _starts(height, tile, stride)
        for x in _starts(width, tile, stride)
    ]
    return [*found, (0, 0, width, height)] if settings.whole else found


def _starts(size: int, tile: int, stride: int) -> list[int]:
    """Evenly spread starts of the fewest tiles whose distance is at most the stride."""
    rest = size - tile
    steps = -(-rest // stride)
    return [round(i * rest / steps) for i in range(steps + 1)] if steps else [0]


def _scaled(window: Pixels) -> Pixels:
    window = np.ascontiguousarray(window)
    if window.shape[:2] == (_SIDE, _SIDE):
        return window
    picture = Image.fromarray(window)
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def merge(
    boxes: Floats,
    scores: Floats,
    windows: list[tuple[int, int, int, int]],
    size: tuple[int, int],
    settings: TeacherSettings,
) -> Detections:
    """The tiles' boxes [n,K,4] (pixels of the network's input) as one picture's detections.

    `size` is (width, height) of the picture.
    """
    window = np.asarray(windows, np.float32)[:, None, :]
    origin = np.concatenate([window[..., :2], window[..., :2]], axis=-1)
    scale = (window[..., 2:] - window[..., :2]) / _SIDE
    placed = boxes * np.concatenate([scale, scale], axis=-1) + origin
    limit = np.asarray([0, 0, *size], np.float32)
    inner = np.where(window == limit, np.float32(np.inf), np.float32(settings.edge))
    cut = (np.abs(placed - window) < np.where(np.isinf(inner), -1, inner)).any(axis=-1)
    solid = (placed[..., 2:] > placed[..., :2]).all(axis=-1)
    keep = (scores >= settings.min_score) & solid & ~cut
    candidates, values = placed[keep], scores[keep]
    order = suppress(candidates, values, settings.nms_iou)
    return Detections(candidates[order], values[order])


def suppress(boxes: Floats, scores: Floats, iou: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes [n,4] that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        overlap = np.prod(np.clip(high - low, 0, None), axis=1)
        order = rest[overlap <= iou * (area[best] + area[rest] - overlap)]
    return np.asarray(kept, np.intp)


Infer = Callable[[Sequence[Pixels]], tuple[Floats, Floats]]
"""Windows, each uint8 [300,300,3], to boxes [n,K,4] and scores [n,K]."""


def _read_model(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_TEACHER_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingError(f"teacher {path} is not there; run `edgefactory data fetch`") from error
    except OSError as error:
        raise InputError(f"teacher {path} cannot be read: {error.strerror}") from error
    if not content or len(content) > _MAX_TEACHER_BYTES:
        raise InputError(f"teacher {path}: {len(content)} bytes is not an ONNX detector")
    return content


def _load_onnxruntime(content: bytes, name: str, settings: TeacherSettings) -> Infer:
    try:
        import onnxruntime as ort
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError as error:
        raise MissingError("onnxruntime is not installed: pip install onnxruntime") from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.InvalidArgument) as error:
        raise InputError(f"teacher {name} is not an ONNX model that loads: {error}") from error
    _check_names(
        name, {i.name for i in session.get_inputs()}, {o.name for o in session.get_outputs()}
    )

    def infer(windows: Sequence[Pixels]) -> tuple[Floats, Floats]:
        found = [session.run(["boxes", "scores"], {"image": w[None]}) for w in windows]
        return np.concatenate([b for b, _ in found]), np.concatenate([s for _, s in found])

    return infer


def _load_openvino(content: bytes, name: str, settings: TeacherSettings) -> Infer:
    """One stream a thread and one window a request: less CPU time than larger batches."""
    core = core_of_openvino()
    import openvino as ov

    try:
        model = core.read_model(content)
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1]
        raise InputError(f"teacher {name} is not an ONNX model that loads: {line}") from error
    _check_names(
        name, {i.any_name for i in model.inputs}, {n for o in model.outputs for n in o.names}
    )
    model.reshape([1, _SIDE, _SIDE, 3])
    hints = {
        "INFERENCE_PRECISION_HINT": settings.precision,
        "INFERENCE_NUM_THREADS": settings.threads,
        "NUM_STREAMS": settings.threads,
        "ENABLE_CPU_PINNING": False,  # else every process of `label auto` takes the same core
    }
    compiled = core.compile_model(model, "CPU", hints)
    queue = ov.AsyncInferQueue(compiled, settings.threads)
    found: dict[int, tuple[Floats, Floats]] = {}

    def collect(request: Any, index: int) -> None:
        boxes, scores = (request.get_tensor(name).data.copy() for name in ("boxes", "scores"))
        found[index] = (boxes, scores)

    queue.set_callback(collect)

    def infer(windows: Sequence[Pixels]) -> tuple[Floats, Floats]:
        for index, window in enumerate(windows):
            queue.start_async({"image": window[None]}, index)
        queue.wait_all()
        parts = [found.pop(index) for index in range(len(windows))]
        return np.concatenate([b for b, _ in parts]), np.concatenate([s for _, s in parts])

    return infer


def native_precision() -> Precision:
    """The precision that OpenVINO runs fastest on this CPU: bf16 where it is in hardware."""
    capabilities = core_of_openvino().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capabilities else "f32"


def core_of_openvino() -> Any:
    """The process's `openvino.Core`. Raises MissingError where OpenVINO is not installed."""
    try:
        return openvino_core()
    except ImportError as error:
        raise MissingError("openvino is not installed: pip install openvino") from error


def _check_names(name: str, inputs: set[str], outputs: set[str]) -> None:
    if inputs != {"image"} or not {"boxes", "scores"} <= outputs:
        found = f"{sorted(inputs)} -> {sorted(outputs)}"
        raise InputError(f"teacher {name}: expected image -> boxes, scores; found {found}")


_LOADERS: Final[dict[Engine, Callable[[bytes, str, TeacherSettings], Infer]]] = {
    "onnxruntime": _load_onnxruntime,
    "openvino": _load_openvino,
}
