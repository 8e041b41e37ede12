"""Any ONNX or OpenVINO graph that takes a picture, as a teacher."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from edge_runtime.contract import InputSpec, Placement, preprocess
from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import read_bytes
from edgefactory.datasets.teachers.engines import MAX_MODEL_BYTES, Array, Port, Session, load
from edgefactory.datasets.teachers.found import Found, Pixels, check_picture, classified, detected
from edgefactory.datasets.teachers.outputs import Reader, recognise
from edgefactory.datasets.teachers.spec import EngineSettings, TeacherSpec, options_of


class Prepared(NamedTuple):
    """A picture as a graph's batch of one, where it lies there, and the input's width, height."""

    batch: Array
    place: Placement
    size: tuple[int, int]


Prepare = Callable[[Pixels], Prepared]
Sizing = Callable[[int, int], tuple[int, int]]
"""Width and height of a picture to those of an input that the graph leaves open."""

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MAX_SIDE: Final = 4096
_MOST_NAMED: Final = 1 << 16  # characters of a list of names


class GraphOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How a picture becomes the graph's input, where the graph itself cannot say.

    `size` ("640" or "640x384", width first) where the graph leaves it open; without it, the
    picture keeps its own. A graph of floats gets (pixel / `divide` - `mean`) / `std`; `mean` and
    `std` are "r/g/b", or `imagenet` for both. One of uint8 gets the pixels as they are.
    """

    size: str | None = None
    fit: Literal["stretch", "letterbox"] = "stretch"
    resize: Literal["pillow-box", "pillow-bilinear"] = "pillow-bilinear"
    colour: Literal["RGB", "BGR"] = "RGB"
    divide: float = 255.0
    mean: str = "0/0/0"
    std: str = "1/1/1"


@dataclass(frozen=True)
class GraphTeacher:
    """A loaded graph, how a picture gets in, and how its answer is read."""

    classes: tuple[str, ...]
    task: Task
    digest: str
    session: Session
    prepare: Prepare
    reader: Reader
    min_score: float

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`; one picture a call of the engine."""
        return [self._look(picture) for picture in pictures]

    def _look(self, picture: Pixels) -> Found:
        check_picture(picture)
        batch, place, size = self.prepare(picture)
        found = self.reader(self.session.run(batch), size)
        if found.probabilities is not None:
            self._require(len(found.probabilities) == len(self.classes), found.probabilities)
            return classified(found.probabilities)
        keep = found.scores >= self.min_score
        kinds = found.classes[keep]
        self._require(bool(((kinds >= 0) & (kinds < len(self.classes))).all()), kinds)
        boxes = place.to_picture(found.boxes[keep])
        return detected(boxes, found.scores[keep], kinds, (picture.shape[1], picture.shape[0]))

    def _require(self, right: bool, answer: Array) -> None:
        if not right:
            told = f"class {answer.max()}" if answer.dtype == np.int64 else f"{len(answer)} scores"
            raise InputError(
                f"a teacher answered with {told}, but {len(self.classes)} classes are named "
                f"({', '.join(self.classes[:5])}): name all of its classes in its order"
            )


def open_graph(spec: TeacherSpec, path: Path, engine: EngineSettings) -> GraphTeacher:
    """The ONNX file, or OpenVINO's .xml with its .bin, at `path`."""
    files = read_graph(path)
    session = load(files, path.name, engine)
    classes = spec.classes or stated_classes(session.stated)
    if not classes:
        raise InputError(f"teacher {path}: name its classes in its order (--classes a,b)")
    task, reader = recognise(session.outputs, len(classes), path.name)
    options = options_of(spec, GraphOptions)
    prepare = preparation(session.input, options, path.name, _sizing(options.size, path.name))
    return GraphTeacher(classes, task, digest_of(files), session, prepare, reader, spec.min_score)


def stated_classes(stated: Callable[[str], str | None]) -> tuple[str, ...]:
    """The classes that a file names itself: ours as JSON, Ultralytics' as {0: 'name', …}.

    Empty where it names none, or names them in no order.
    """
    ours, theirs = stated("edgefactory.classes"), (stated("names") or "{}")[:_MOST_NAMED]
    try:
        if ours is not None:
            return msgspec.json.decode(ours, type=tuple[str, ...])
        named = msgspec.convert(ast.literal_eval(theirs), dict[int, str])
    except (msgspec.MsgspecError, ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(named[n] for n in sorted(named)) if [*named] == [*range(len(named))] else ()


def read_graph(path: Path) -> dict[str, bytes]:
    """The files of a graph by name: an .xml comes with the .bin beside it."""
    files = {path.name: read_bytes(path, MAX_MODEL_BYTES, "teacher")}
    if path.suffix == ".xml":
        weights = path.with_suffix(".bin")
        files[weights.name] = read_bytes(weights, MAX_MODEL_BYTES, "teacher's weights")
    return files


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 of a model's only file; of several, over the lines "sha256  name", by name."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return combined(digests)


def combined(digests: Mapping[str, str]) -> str:
    """One digest of several files' digests by name; see `digest_of`."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def preparation(port: Port, options: GraphOptions, name: str, sizing: Sizing) -> Prepare:
    """How a picture becomes the input `port`; `InputError` when a picture does not fit there.

    `sizing` says how large the input is where the graph leaves that open.
    """
    shape = port.shape
    last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
    if len(shape) != 4 or shape[0] not in {None, 1} or shape[3 if last else 1] not in {None, 3}:
        raise InputError(
            f"teacher {name} takes {port}; expected one picture, [1,3,H,W] or [1,H,W,3]"
        )
    if port.kind not in {"uint8", "float32"}:
        raise InputError(f"teacher {name} takes {port.kind}; expected uint8 or float32")
    high, wide = shape[1:3] if last else shape[2:4]
    scale = _normalisation(options, name) if port.kind == "float32" else None

    def prepare(picture: Pixels) -> Prepared:
        free = sizing(picture.shape[1], picture.shape[0])
        size = (wide or free[0], high or free[1])
        spec = InputSpec(size[0], size[1], fit=options.fit, resize=options.resize)
        pixels, place = preprocess(picture, spec)
        pixels = pixels[..., ::-1] if options.colour == "BGR" else pixels
        values: Array = pixels if scale is None else pixels * scale[0] + scale[1]
        values = values if last else values.transpose(2, 0, 1)
        return Prepared(np.ascontiguousarray(values[None]), place, size)

    return prepare


def _own_size(width: int, height: int) -> tuple[int, int]:
    return min(width, MAX_SIDE), min(height, MAX_SIDE)


def _normalisation(options: GraphOptions, name: str) -> tuple[Array, Array]:
    """Factor and summand f32 [3] with pixel × factor + summand = (pixel / divide - mean) / std."""
    named = options.mean == "imagenet"
    mean = np.asarray(_IMAGENET_MEAN if named else _three(options.mean, name), np.float64)
    std = np.asarray(_IMAGENET_STD if named else _three(options.std, name), np.float64)
    if options.divide <= 0 or (std <= 0).any():
        raise InputError(f"teacher {name}: divide and std must be greater than 0")
    factor = 1 / (options.divide * std)
    return factor.astype(np.float32), (-mean / std).astype(np.float32)


def _three(text: str, name: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise InputError(f"teacher {name}: expected three numbers as 0.5/0.5/0.5, found {text!r}")
    return numbers


def _sizing(text: str | None, name: str) -> Sizing:
    if text is None:
        return _own_size
    parts = text.split("x")
    numbers = [int(part) for part in parts if part.isdecimal() and part.isascii()]
    wrong = len(numbers) != len(parts) or len(parts) > 2
    if wrong or not all(1 <= number <= MAX_SIDE for number in numbers):
        raise InputError(f"teacher {name}: expected size=640 or size=640x384, found {text!r}")
    return lambda _width, _height: (numbers[0], numbers[-1])
