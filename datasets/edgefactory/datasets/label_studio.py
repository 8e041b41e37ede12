"""Label Studio: a snapshot's open labels go out as tasks, reviewed ones come back.

Only its JSON is used, never its COCO or YOLO converters, which overwrite files of the same name.
A task carries the sample's id in `data.sample`, since Label Studio does not de-duplicate. Its
predictions are validated here, since the server does not do that either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import msgspec
from msgspec import Struct

from edgefactory.datasets.documents import Box, Item, Label, Snapshot, State
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.snapshot import check_snapshot

_FROM: Final = "label"
_TO: Final = "image"

Json = dict[str, Any]


def labelling_config(classes: tuple[str, ...], task: str = "detection") -> str:
    """The labelling interface, as Label Studio's XML, for a snapshot's classes."""
    tag, entry = ("RectangleLabels", "Label") if task == "detection" else ("Choices", "Choice")
    rows = "".join(f"<{entry} value={quoteattr(name)}/>" for name in classes)
    image = f'<Image name="{_TO}" value="$image"/>'
    return f'<View>{image}<{tag} name="{_FROM}" toName="{_TO}">{rows}</{tag}></View>'


def export_tasks(
    snapshot: Snapshot, base_url: str, states: Collection[State] = frozenset({"queued"})
) -> list[Json]:
    """Tasks for the items that have a label in one of `states`, with *all* labels as prediction.

    `base_url` is where the snapshot's folder is served; `data.image` is `base_url/images/ID.jpg`.
    Raises `MissingError` without label-studio-sdk, `InputError` for a prediction it refuses.
    """
    try:
        from label_studio_sdk.label_interface import LabelInterface
    except ImportError as error:
        raise MissingError(
            "label-studio-sdk is not installed: pip install label-studio-sdk"
        ) from error
    interface = LabelInterface(labelling_config(snapshot.classes, snapshot.task))
    tasks = []
    for item in snapshot.items:
        if not any(label.state in states for label in item.labels):
            continue
        prediction = _prediction(item)
        problems = interface.validate_prediction(prediction, return_errors=True)
        if problems:
            raise InputError(f"item {item.id[:12]} is no valid prediction: {problems[0]}")
        data = {"image": f"{base_url.rstrip('/')}/{item.file}", "sample": item.id}
        tasks.append({"data": data, "predictions": [prediction]})
    return tasks


def import_annotations(content: bytes, snapshot: Snapshot, where: str) -> Snapshot:
    """The snapshot with the labels of reviewed items replaced by what the reviewers said.

    `content` is Label Studio's JSON export. A task counts if it has an annotation that was not
    cancelled; the last one in the file stands. Boxes come back as `human:<who>`, `reviewed`. When
    all of the test split was reviewed, its labels are human from then on.
    Raises `InputError` that names `where` for a file of another shape, an unknown sample, class
    or box, and for a sample that is there twice.
    """
    try:
        tasks = msgspec.json.decode(content, type=list[_Task])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not a Label Studio JSON export: {error}") from error
    items = {item.id: item for item in snapshot.items}
    seen: set[str] = set()
    reviewed: set[str] = set()
    for task in tasks:
        sample = task.data.get("sample")
        if not isinstance(sample, str) or sample not in items or sample in seen:
            raise InputError(f"{where}: sample {sample!r} is there twice or not in the snapshot")
        seen.add(sample)
        answers = [answer for answer in task.annotations if not answer.was_cancelled]
        if answers:
            labels = _labels(answers[-1], items[sample], f"{where}: {sample[:12]}")
            items[sample] = msgspec.structs.replace(items[sample], labels=labels)
            reviewed.add(sample)
    judged = reviewed.issuperset(item.id for item in snapshot.split("test"))
    result = msgspec.structs.replace(
        snapshot,
        items=tuple(items.values()),
        test_labels="human" if judged else snapshot.test_labels,
    )
    check_snapshot(result, where)
    return result


class _Region(Struct, frozen=True):
    """One region of an annotation; Label Studio writes many more keys, which are not ours."""

    type: str
    value: dict[str, Any]


class _Annotation(Struct, frozen=True):
    result: tuple[_Region, ...]
    was_cancelled: bool = False
    completed_by: int | str | dict[str, Any] | None = None


class _Task(Struct, frozen=True):
    data: dict[str, Any]
    annotations: tuple[_Annotation, ...] = ()


def _prediction(item: Item) -> Json:
    """An item's labels as one prediction; boxes in percent of the picture, as the format has it."""
    results: list[Json] = []
    for number, label in enumerate(item.labels):
        common: Json = {"id": f"{item.id[:8]}-{number}", "from_name": _FROM, "to_name": _TO}
        common["score"] = label.score
        if label.box is None:
            results.append(common | {"type": "choices", "value": {"choices": [label.class_]}})
            continue
        x0, y0, x1, y1 = label.box
        size = {"original_width": item.width, "original_height": item.height}
        value = {
            "x": 100 * x0 / item.width,
            "y": 100 * y0 / item.height,
            "width": 100 * (x1 - x0) / item.width,
            "height": 100 * (y1 - y0) / item.height,
            "rotation": 0,
            "rectanglelabels": [label.class_],
        }
        results.append(common | size | {"type": "rectanglelabels", "value": value})
    scores = [label.score for label in item.labels]
    origin = item.labels[0].origin if item.labels else "none"
    return {"model_version": origin, "score": min(scores, default=0.0), "result": results}


def _labels(answer: _Annotation, item: Item, where: str) -> tuple[Label, ...]:
    origin = f"human:{_who(answer.completed_by)}"
    found = []
    for region in answer.result:
        if region.type == "rectanglelabels":
            box = _box(region.value, item, where)
            names = region.value.get("rectanglelabels")
        elif region.type == "choices":
            box, names = None, region.value.get("choices")
        else:
            raise InputError(f"{where} has a region of type {region.type!r}")
        if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
            raise InputError(f"{where} has a region with the classes {names!r}, expected one")
        found.append(Label(names[0], box, origin, 1.0, "reviewed"))
    return tuple(found)


def _box(value: Mapping[str, Any], item: Item, where: str) -> Box:
    """Percent of the picture to pixels, clipped to it, to a hundredth of a pixel."""
    numbers = [value.get(key) for key in ("x", "y", "width", "height")]
    if not all(isinstance(n, int | float) for n in numbers) or value.get("rotation", 0) != 0:
        raise InputError(f"{where} has a box without numbers, or a rotated one: {dict(value)}")
    x, y, width, height = (float(n) for n in numbers if n is not None)
    corners = (x, y, x + width, y + height)
    sides = (item.width, item.height) * 2
    pixels = [
        round(min(max(corner / 100 * side, 0), side), 2)
        for corner, side in zip(corners, sides, strict=True)
    ]
    return pixels[0], pixels[1], pixels[2], pixels[3]


def _who(completed_by: int | str | dict[str, Any] | None) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return str(completed_by if completed_by is not None else "unknown")
