"""The held-out pictures as the page shows them: crops with boxes, or digits with their reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from edgefactory.datasets import Item, load_picture
from edgefactory.datasets.errors import InputError
from edgefactory.pipelines.report.embed import jpeg_uri
from edgefactory.pipelines.report.inputs import Inputs
from edgefactory.pipelines.report.views import (
    Chosen,
    Corners,
    FoundBox,
    Frame,
    Mark,
    Trade,
    TrueBox,
    choose,
    crop,
    errors,
    judge,
    trade,
    truth_marks,
)
from edgefactory.registry.binding import TEACHER

T = TypeVar("T")

WINDOW = (256, 288)  # pixels of the picture that one panel shows
MOST_DIGITS = 24


@dataclass(frozen=True)
class Panel:
    """One look at a picture: whose boxes, and how many of them were wrong."""

    title: str
    marks: tuple[Mark, ...]
    missed: int
    false: int


@dataclass(frozen=True)
class Sheet:
    """One picture with its panels. `view` is the crop: x0, y0, width, height."""

    id: str
    uri: str
    width: int
    height: int
    view: Corners
    caption: str
    subject: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Digit:
    """A small picture, what it is, and what the model read with which probability."""

    uri: str
    truth: str
    read: str
    probability: float


@dataclass(frozen=True)
class Gallery:
    """What is shown of the held-out pictures. `hero` is the one at the top of the page.

    `trades` are the precision-recall curves by title.
    """

    hero: Sheet | None
    sheets: tuple[Sheet, ...]
    trades: tuple[tuple[str, Trade], ...] = ()
    digits: tuple[Digit, ...] = ()
    misread: int = 0


def build_gallery(inputs: Inputs, headline: str) -> Gallery:
    """Choose and prepare the pictures. Raises InputError when predictions are malformed."""
    if inputs.snapshot.task == "classification":
        return _digits(inputs, headline)
    frames = detection_frames(inputs)
    if not frames:
        return Gallery(None, ())
    there = {subject for frame in frames for subject in frame.found}
    shown = _shown(headline, there)
    subjects = [s for s in dict.fromkeys((TEACHER, "onnx-fp32", shown)) if s in there]
    thresholds = _thresholds(inputs, subjects)
    items = {item.file: item for item in inputs.snapshot.split("test")}
    rival = TEACHER if TEACHER in subjects else None
    chosen = choose(frames, shown, rival, thresholds)
    sheets = tuple(_sheet(inputs, items, c, subjects, thresholds) for c in chosen)
    trades = [(_title(s), trade(frames, s, thresholds[s])) for s in subjects]
    return Gallery(
        _hero(inputs, items, frames, shown, thresholds),
        sheets,
        tuple((name, curve) for name, curve in trades if curve is not None),
    )


def detection_frames(inputs: Inputs) -> list[Frame]:
    """The predictions of a detection line, in order of the footage."""
    frames = []
    for key, entry in inputs.predictions.frames.items():
        truth = _boxes(entry, "truth", key)
        found = {s: _boxes(entry, s, key) for s in entry if s not in ("truth", "picture")}
        frames.append(
            Frame(
                key=key,
                picture=_field(entry, "picture", str, key),
                truth=tuple(TrueBox((b[0], b[1], b[2], b[3]), b[4] > 0) for b in truth),
                found={
                    s: tuple(FoundBox((b[0], b[1], b[2], b[3]), b[4]) for b in boxes)
                    for s, boxes in found.items()
                },
            )
        )
    return sorted(frames, key=lambda f: (len(f.key), f.key))


def _boxes(
    entry: Mapping[str, msgspec.Raw], name: str, key: str
) -> list[tuple[float, float, float, float, float]]:
    return _field(entry, name, list[tuple[float, float, float, float, float]], key)


def _field(entry: Mapping[str, msgspec.Raw], name: str, kind: type[T], key: str) -> T:
    try:
        return msgspec.json.decode(entry[name], type=kind)
    except (KeyError, msgspec.MsgspecError) as error:
        raise InputError(
            f"predictions.json, frame {key}: {name!r} is not what it must be ({error}); "
            "run `edgefactory prove` again"
        ) from error


def _shown(headline: str, there: set[str]) -> str:
    """Whose decisions to show: the headline's, or those of its nearest kin that has some."""
    specialists = sorted(there - {TEACHER, "truth", "picture"})
    kin = [s for s in specialists if "int8" in s] if "int8" in headline else []
    for name in (headline, "onnx-int8" if kin else "onnx-fp32", *kin, *specialists):
        if name in there:
            return name
    raise InputError("predictions.json holds no decisions of a variant; run `edgefactory prove`")


def _thresholds(inputs: Inputs, subjects: list[str]) -> dict[str, float]:
    """The specialist at its operating point, the teacher where its labels were accepted."""
    accept = inputs.labels.parameters.get("accept", 0.5)
    thresholds = dict.fromkeys(subjects, inputs.operating_point.score_threshold)
    if TEACHER in thresholds:
        thresholds[TEACHER] = float(accept)
    return thresholds


def _title(subject: str) -> str:
    return {TEACHER: "Teacher", "onnx-fp32": "Specialist, FP32"}.get(
        subject, "Specialist, INT8" if "int8" in subject else f"Specialist, {subject}"
    )


def _panel(frame: Frame, subject: str, threshold: float) -> Panel:
    marks = tuple(judge(frame.truth, frame.found.get(subject, ()), threshold))
    missed = sum(m.kind == "miss" for m in marks)
    return Panel(_title(subject), marks, missed, errors(marks) - missed)


def _sheet(
    inputs: Inputs,
    items: Mapping[str, Item],
    chosen: Chosen,
    subjects: list[str],
    thresholds: Mapping[str, float],
) -> Sheet:
    frame = chosen.frame
    item = _item(items, frame)
    panels = [Panel(_truth_title(inputs), tuple(truth_marks(frame.truth)), 0, 0)]
    panels += [_panel(frame, s, thresholds[s]) for s in subjects]
    everything = [mark for panel in panels for mark in panel.marks if mark.kind != "ignore"]
    return Sheet(
        id=f"frame-{item.id[:12]}",
        uri=jpeg_uri(load_picture(inputs.folder / "snapshot", item)),
        width=item.width,
        height=item.height,
        view=crop(everything, (item.width, item.height), WINDOW),
        caption=f"Frame {frame.key}, {chosen.why}",
        subject=subjects[-1],
        panels=tuple(panels),
    )


def _hero(
    inputs: Inputs,
    items: Mapping[str, Item],
    frames: list[Frame],
    headline: str,
    thresholds: Mapping[str, float],
) -> Sheet:
    """The whole of the picture with the most people in it, as the headline's variant sees it."""
    frame = max(frames, key=lambda f: sum(not t.ignore for t in f.truth))
    item = _item(items, frame)
    return Sheet(
        id=f"hero-{item.id[:12]}",
        uri=jpeg_uri(load_picture(inputs.folder / "snapshot", item), quality=88),
        width=item.width,
        height=item.height,
        view=(0.0, 0.0, float(item.width), float(item.height)),
        caption=f"Frame {frame.key}",
        subject=headline,
        panels=(_panel(frame, headline, thresholds[headline]),),
    )


def _truth_title(inputs: Inputs) -> str:
    return "Annotated truth" if inputs.snapshot.test_labels == "human" else "Teacher’s labels"


def _item(items: Mapping[str, Item], frame: Frame) -> Item:
    file = frame.picture.removeprefix("snapshot/")
    if file not in items:
        raise InputError(
            f"predictions.json, frame {frame.key}: {frame.picture!r} is no held-out picture of "
            "the snapshot; run `edgefactory prove` again"
        )
    return items[file]


def _digits(inputs: Inputs, headline: str) -> Gallery:
    """Misread pictures first, then those read with the least confidence."""
    items = {item.file: item for item in inputs.snapshot.split("test")}
    classes = inputs.snapshot.classes
    shown = _shown(headline, {s for entry in inputs.predictions.frames.values() for s in entry})
    rows: list[tuple[bool, float, Frame, int, int]] = []
    for key, entry in inputs.predictions.frames.items():
        truth = _field(entry, "truth", int, key)
        label, probability = _field(entry, shown, tuple[int, float], key)
        frame = Frame(key, _field(entry, "picture", str, key), (), {})
        rows.append((label == truth, probability, frame, truth, label))
    rows.sort(key=lambda row: (row[0], row[1], row[2].key))
    digits = tuple(
        Digit(
            jpeg_uri(load_picture(inputs.folder / "snapshot", _item(items, frame)), quality=90),
            classes[truth],
            classes[label],
            probability,
        )
        for _, probability, frame, truth, label in rows[:MOST_DIGITS]
    )
    return Gallery(None, (), (), digits, sum(not row[0] for row in rows))
