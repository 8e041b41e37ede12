"""Label Studio: a snapshot's open labels go out as tasks, reviewed ones come back.

Only its JSON is used, never its COCO or YOLO converters, which overwrite files of the same name.
A task carries the sample's id in `data.sample`, since Label Studio does not de-duplicate. Its
predictions are validated here, since the server does not do that either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import msgspec
from msgspec import Struct

from edgefactory.datasets.documents import Box, Item, Label, Snapshot, State
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.formats.boxes import to_pixels, to_shares
from edgefactory.datasets.manifest import check_snapshot

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
    """Tasks for the items that have a label in one of `states`, with their labels as prediction.

    Labels that a person rejected are not proposed again, unless `states` asks for them; what is
    to be ignored is not asked about. `base_url` is where the snapshot's folder is served, so
    `data.image` is `base_url/images/ID.jpg`.
    Raises `MissingError` without label-studio-sdk, `InputError` for a prediction it refuses.
    """
    problem = problem_finder(labelling_config(snapshot.classes, snapshot.task))
    tasks = []
    for item in snapshot.items:
        if not any(label.state in states for label in item.labels):
            continue
        proposed = prediction(item, asked_labels(item, states))
        if (reason := problem(proposed)) is not None:
            raise InputError(f"item {item.id[:12]} is no valid prediction: {reason}")
        data = {"image": f"{base_url.rstrip('/')}/{item.file}", "sample": item.id}
        tasks.append({"data": data, "predictions": [proposed]})
    return tasks


def problem_finder(config: str) -> Callable[[Json], str | None]:
    """Says why a prediction does not fit the labelling interface `config`; None where it does.

    Raises `MissingError` without label-studio-sdk.
    """
    try:
        from label_studio_sdk.label_interface import LabelInterface
    except ImportError as error:
        raise MissingError(
            "label-studio-sdk is not installed: pip install label-studio-sdk"
        ) from error
    interface = LabelInterface(config)

    def problem(proposed: Json) -> str | None:
        problems = interface.validate_prediction(proposed, return_errors=True)
        return str(problems[0]) if problems else None

    return problem


def import_annotations(content: bytes, snapshot: Snapshot, where: str) -> Snapshot:
    """The snapshot with the labels of reviewed items replaced by what the reviewers said.

    `content` is Label Studio's JSON export. A task counts if it has an annotation that was not
    cancelled; the last one in the file stands. Boxes come back as `human:<who>`, `reviewed`, and
    the whole picture counts as reviewed; what is to be ignored there stays. When all of the test
    split was reviewed, its labels are human from then on.
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
            labels = answered_labels(answers[-1], items[sample], f"{where}: {sample[:12]}")
            ignored = tuple(label for label in items[sample].labels if label.ignore)
            items[sample] = msgspec.structs.replace(
                items[sample], labels=labels + ignored, reviewed=True
            )
            reviewed.add(sample)
    test = {item.id for item in snapshot.split("test")}
    judged = bool(test) and test <= reviewed
    result = msgspec.structs.replace(
        snapshot,
        items=tuple(items.values()),
        test_labels="human" if judged else snapshot.test_labels,
    )
    check_snapshot(result, where)
    return result


class Region(Struct, frozen=True):
    """One region of an annotation; Label Studio writes many more keys, which are not ours."""

    type: str
    value: dict[str, Any]


class Answer(Struct, frozen=True):
    """What one person said about one picture."""

    result: tuple[Region, ...]
    was_cancelled: bool = False
    completed_by: int | str | dict[str, Any] | None = None


class _Task(Struct, frozen=True):
    data: dict[str, Any]
    annotations: tuple[Answer, ...] = ()


def asked_labels(item: Item, states: Collection[State]) -> list[Label]:
    """The labels that a person is asked about."""
    return [
        label
        for label in item.labels
        if not label.ignore and (label.state != "rejected" or "rejected" in states)
    ]


def prediction(item: Item, labels: Sequence[Label]) -> Json:
    """Labels as one prediction; boxes in percent of the picture, as the format has it."""
    results: list[Json] = []
    for number, label in enumerate(labels):
        common: Json = {"id": f"{item.id[:8]}-{number}", "from_name": _FROM, "to_name": _TO}
        common["score"] = label.score
        if label.box is None:
            results.append(common | {"type": "choices", "value": {"choices": [label.class_]}})
            continue
        left, top, width, height = to_shares(label.box, item.width, item.height)
        size = {"original_width": item.width, "original_height": item.height}
        value = {
            "x": 100 * left,
            "y": 100 * top,
            "width": 100 * width,
            "height": 100 * height,
            "rotation": 0,
            "rectanglelabels": [label.class_],
        }
        results.append(common | size | {"type": "rectanglelabels", "value": value})
    scores = [label.score for label in labels]
    origin = labels[0].origin if labels else "none"
    return {"model_version": origin, "score": min(scores, default=0.0), "result": results}


def answered_labels(answer: Answer, item: Item, where: str) -> tuple[Label, ...]:
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
    """Percent of the picture to pixels, clipped to it, to a thousandth of a pixel."""
    numbers = [value.get(key) for key in ("x", "y", "width", "height")]
    if not all(isinstance(n, int | float) for n in numbers) or value.get("rotation", 0) != 0:
        raise InputError(f"{where} has a box without numbers, or a rotated one: {dict(value)}")
    x, y, width, height = (float(n) for n in numbers if n is not None)
    left, top, right, bottom = (
        min(max(corner / 100, 0.0), 1.0) for corner in (x, y, x + width, y + height)
    )
    return to_pixels((left, top, right, bottom), item.width, item.height)


def _who(completed_by: int | str | dict[str, Any] | None) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return str(completed_by if completed_by is not None else "unknown")
