"""The files between the stages: footage, labels, snapshot, truth. Parsed once, strictly.

All are JSON with a `schema` key; an unknown key is an error that names it and the file.
Boxes are [x0, y0, x1, y1] in pixels of the picture, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from msgspec import Meta, Struct, field

from edge_runtime.contract import Signal, codec
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.errors import MissingError as RuntimeMissingError
from edgefactory.datasets.errors import InputError, MissingError

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Pixels = Annotated[int, Meta(ge=1, le=16384)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
RelativeFile = Annotated[str, Meta(pattern=r"^([A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+\.jpg$")]
ImageFile = Annotated[str, Meta(pattern=r"^images/[0-9a-f]{64}\.(jpg|png)$")]
BoundId = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Box = tuple[float, float, float, float]
Task = Literal["detection", "classification"]
Split = Literal["train", "val", "test"]
Labeller = Literal["human", "teacher", "imported"]
LABELLERS: Final[tuple[Labeller, ...]] = ("human", "imported", "teacher")  # most trusted first
State = Literal["accepted", "queued", "rejected", "reviewed"]

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what is being done)."""

T = TypeVar("T")


class Picture(Struct, frozen=True, forbid_unknown_fields=True):
    """One kept picture of the footage; `label` only where the source itself knows the class."""

    file: RelativeFile
    frame: Count
    seconds: float
    part: Literal["train", "held_out"]
    label: str | None = None
    group: str | None = None


class Voucher(Struct, frozen=True, forbid_unknown_fields=True):
    """Six held-out digits in a row: a strip picture, what it says, and the digits' frames."""

    name: Name
    file: RelativeFile
    digits: Annotated[str, Meta(pattern="^[0-9]{6}$")]
    frames: tuple[Count, ...]


class Footage(Struct, frozen=True, forbid_unknown_fields=True):
    """`footage.json`: where the pictures come from and which part each belongs to.

    Frames [0, train_end) may be learned from, [held_out_start, frames) are for judging,
    what lies between is the gap and is in neither.
    """

    schema: Literal["footage/1"]
    name: Name
    task: Task
    classes: tuple[Name, ...]
    source_sha256: Sha256
    frames: Count
    width: Pixels
    height: Pixels
    fps: float
    train_end: Count
    held_out_start: Count
    truth_sha256: Sha256 | None
    pictures: tuple[Picture, ...]
    vouchers: tuple[Voucher, ...] = ()


class Label(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody says is in a picture: who (`origin`), how sure, and what became of it.

    `origin` is `teacher:<sha256 of the model>`, `human:<who>` or `imported:<source>`.
    `box` is None for a label of the whole picture. `ignore` marks what is not to be judged.
    `bound` names the `ErrorBound` of the snapshot that speaks of this label, if one does.
    """

    class_: str = field(name="class")
    box: Box | None
    origin: Annotated[str, Meta(pattern="^(teacher|human|imported):.+$")]
    score: Share
    state: State
    ignore: bool = False
    bound: BoundId | None = None


class FrameLabels(Struct, frozen=True, forbid_unknown_fields=True):
    """All labels of one picture of the footage, best first."""

    frame: Count
    labels: tuple[Label, ...]


class Labels(Struct, frozen=True, forbid_unknown_fields=True):
    """`labels.json`: the labels of footage, and the parameters that they were made with."""

    schema: Literal["labels/1"]
    source_sha256: Sha256
    teacher_sha256: Sha256 | None
    parameters: dict[str, str | int | float | bool]
    frames: tuple[FrameLabels, ...]


class Item(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One picture of a snapshot; `id` is the SHA-256 of the image file's bytes.

    `captured_at` counts seconds from the start of the source, or from 1970 (POSIX) where the time
    is known. `name` is what the picture was called where it came from, unique in a snapshot.
    `reviewed`: a person has seen the whole picture, so what carries no label is not there.
    """

    id: Sha256
    file: ImageFile
    width: Pixels
    height: Pixels
    source: Name
    frame: Count | None
    captured_at: float
    split: Split
    labels: tuple[Label, ...]
    name: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    reviewed: bool = False


class ErrorBound(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """With `confidence`, at most `max_error` of the `labels` labels that name this bound are wrong.

    It speaks of exactly these labels: where one of them is taken away, added or changed, it ends.
    `checked` labels were compared with what people said, `wrong` of them were not right.
    """

    id: BoundId
    classes: tuple[Name, ...]
    max_error: Share
    confidence: Share
    threshold: Share
    labels: Count
    checked: Count
    wrong: Count
    method: Name
    teacher: Name


class Header(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="snapshot/2",
):
    """What a snapshot says of itself: the first line of `manifest.jsonl`.

    `test_labels` says who labelled the test split. `signal` says how sequences became these
    pictures, `steps` wide and a row a feature; None for pictures of a camera.
    """

    name: Name
    task: Task
    classes: tuple[Name, ...]
    test_labels: Labeller
    truth_sha256: Sha256 | None = None
    bounds: tuple[ErrorBound, ...] = ()
    signal: Signal | None = None


class Snapshot(Struct, frozen=True):
    """A fixed, checked data set in memory: its header's values and its items."""

    name: str
    task: Task
    classes: tuple[str, ...]
    test_labels: Labeller
    truth_sha256: str | None
    items: tuple[Item, ...]
    bounds: tuple[ErrorBound, ...] = ()
    signal: Signal | None = None

    def split(self, split: Split) -> tuple[Item, ...]:
        """The items of one split, in the manifest's order."""
        return tuple(item for item in self.items if item.split == split)


class Clip(Struct, frozen=True, forbid_unknown_fields=True):
    """The video that a truth file is about."""

    file: Name
    sha256: Sha256
    frames: Count
    width: Pixels
    height: Pixels


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """A counting line in pixels. Crossing from the left of start to end to its right is "in"."""

    name: Name
    start: tuple[float, float]
    end: tuple[float, float]


class TrueBox(Struct, frozen=True, forbid_unknown_fields=True):
    """One box that a human drew or checked."""

    class_: str = field(name="class")
    box: Box
    ignore: bool = False


class TrueFrame(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that humans saw in one frame (0-based decode order)."""

    frame: Count
    boxes: tuple[TrueBox, ...]


class Crossing(Struct, frozen=True, forbid_unknown_fields=True):
    """A person crossed the counting line at about this frame."""

    frame: Count
    direction: Literal["in", "out"]
    note: str = ""


class Truth(Struct, frozen=True, forbid_unknown_fields=True):
    """Human annotations of held-out frames of a clip, and how they were made."""

    schema: Literal["truth/1"]
    clip: Clip
    how: str
    annotators: tuple[Name, ...]
    classes: tuple[Name, ...]
    line: Line | None
    frames: tuple[TrueFrame, ...]
    crossings: tuple[Crossing, ...] = ()


def read_document(path: Path, kind: type[T]) -> T:
    """Read and parse the JSON document at `path`.

    Raises `MissingError` when it is not there, `InputError` when it is not a valid `kind`.
    """
    try:
        return codec.read(path, kind)
    except RuntimeMissingError as error:
        raise MissingError(str(error)) from error
    except EdgeRuntimeError as error:
        raise InputError(str(error)) from error


def read_footage(folder: Path) -> Footage:
    """The footage in `folder`, as `ingest` wrote it."""
    return read_document(folder / "footage.json", Footage)


def read_labels(folder: Path) -> Labels:
    """The labels in `folder`, as `label` wrote them."""
    return read_document(folder / "labels.json", Labels)


def read_truth(path: Path) -> Truth:
    """A truth file; raises `InputError` when a box or a frame lies outside of its clip."""
    truth = read_document(path, Truth)
    seen: set[int] = set()
    for entry in truth.frames:
        if entry.frame in seen or entry.frame >= truth.clip.frames:
            raise InputError(f"{path}: frame {entry.frame} is there twice or outside of the clip")
        seen.add(entry.frame)
        for box in entry.boxes:
            if box.class_ not in truth.classes:
                raise InputError(f"{path}: frame {entry.frame} has the class {box.class_!r}")
            check_box(box.box, truth.clip.width, truth.clip.height, f"{path} {entry.frame}")
    return truth


def shipped_truth(clip_sha256: str) -> Path | None:
    """The truth file that comes with this package for that clip, if there is one."""
    for path in sorted((Path(__file__).parent / "truth").glob("*.json")):
        if read_document(path, Truth).clip.sha256 == clip_sha256:
            return path
    return None


def check_box(box: Box, width: int, height: int, where: str) -> None:
    """Raise `InputError` unless `box` has an area and lies in a picture of width x height."""
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(
            f"{where}: box {list(box)} is not [x0, y0, x1, y1] inside of {width}x{height}"
        )
