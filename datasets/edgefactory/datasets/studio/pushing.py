"""A snapshot's pictures as tasks, with its labels as predictions for people to correct.

Pushing again does nothing twice: a task carries the item's id as `sample` and a digest of what is
proposed as `labels`. A task that is there is left alone, unless other labels are proposed now and
nobody has answered it. Label Studio itself checks neither duplicates nor predictions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_runtime.contract.codec import encode
from edgefactory.datasets.documents import Item, Progress, Snapshot, State
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats.label_studio import (
    asked_labels,
    labelling_config,
    prediction,
    problem_finder,
)
from edgefactory.datasets.studio.client import Json, Project, Studio, TaskLine
from edgefactory.datasets.studio.pictures import Urls

_BATCH: Final = 100  # tasks a request; requests follow one another, since SQLite locks
_MODEL: Final = "edgefactory"  # one name for all: a project proposes the predictions of one
_WAITING: Final[frozenset[State]] = frozenset({"queued"})


@dataclass(frozen=True)
class PushSettings:
    """What goes where: `chosen` item ids, in the order in which people see them, into `title`.

    A project that is made now asks `reviewers` people about each picture.
    """

    title: str
    chosen: Sequence[str]
    reviewers: int = 1


@dataclass(frozen=True)
class Pushed:
    """Tasks that were added, that got other predictions, and that were left as they are."""

    added: int
    refreshed: int
    left: int


@dataclass(frozen=True)
class _Task:
    """A picture, what is proposed for it, and the digest of that."""

    item: Item
    prediction: Json | None
    digest: str

    def data(self, image: str) -> Json:
        """What the task shows and carries."""
        return {"image": image, "sample": self.item.id, "labels": self.digest}


def waiting(snapshot: Snapshot) -> list[str]:
    """The ids of the items with a label that waits for a person."""
    return [
        item.id for item in snapshot.items if any(label.state in _WAITING for label in item.labels)
    ]


def project_title(snapshot: Snapshot, given: str | None) -> str:
    """The project's title: `given`, else the snapshot's name; 3 to 50 letters for the server."""
    title = snapshot.name if given is None else given
    if not 3 <= len(title) <= 50:
        raise InputError(f"the project's title {title!r} has not 3 to 50 letters; give --project")
    return title


def push(
    studio: Studio,
    snapshot: Snapshot,
    settings: PushSettings,
    shown: Callable[[Project], Urls],
    progress: Progress,
) -> Pushed:
    """Bring the chosen items of `snapshot` into the project, which is made if it is not there.

    `shown` gives the way in which the project's people see pictures. Broken off, it goes on where
    it stopped. Raises `InputError` for an unknown item, or labels that the project's own
    labelling interface does not have.
    """
    items = {item.id: item for item in snapshot.items}
    unknown = next((id_ for id_ in settings.chosen if id_ not in items), None)
    if unknown is not None:
        raise InputError(f"the snapshot has no picture {unknown[:12]}, which is to be pushed")
    project = studio.project(settings.title)
    if project is None:
        config = labelling_config(snapshot.classes, snapshot.task)
        project = studio.create_project(settings.title, config, settings.reviewers)
    tasks = _tasks(project, [items[id_] for id_ in settings.chosen])
    present = {str(line.data.get("sample")): line for line in studio.tasks(project)}
    new = [task for task in tasks if task.item.id not in present]
    other = [task for task in tasks if _is_outdated(task, present.get(task.item.id))]
    urls, done, total = shown(project), 0, len(new) + len(other)
    for batch in _batches(new):
        progress(done, total, "pushing pictures")
        _import(studio, project, batch, urls)
        done += len(batch)
    for task in other:
        progress(done, total, "pushing predictions")
        line = present[task.item.id]
        image = str(line.data.get("image"))
        studio.replace_prediction(line.id, line.data | task.data(image), task.prediction)
        done += 1
    return Pushed(len(new), len(other), len(tasks) - total)


def _tasks(project: Project, items: Sequence[Item]) -> list[_Task]:
    """What is proposed for each item, checked against the project's labelling interface."""
    problem = problem_finder(project.label_config)
    tasks = []
    for item in items:
        labels = asked_labels(item, _WAITING)
        proposed = prediction(item, labels) | {"model_version": _MODEL} if labels else None
        if proposed is not None and (reason := problem(proposed)) is not None:
            raise InputError(
                f"the project {project.title!r} cannot show the labels of the picture "
                f"{item.id[:12]} ({reason}); take another --project"
            )
        tasks.append(_Task(item, proposed, _digest(proposed)))
    return tasks


def _digest(proposed: Json | None) -> str:
    result: Any = proposed["result"] if proposed is not None else []
    return hashlib.sha256(encode(result)).hexdigest()[:16]


def _is_outdated(task: _Task, line: TaskLine | None) -> bool:
    """Whether other labels were proposed before, and nobody has answered yet."""
    if line is None or line.data.get("labels") == task.digest:
        return False
    return line.total_annotations + line.cancelled_annotations == 0


def _import(studio: Studio, project: Project, batch: Sequence[_Task], urls: Urls) -> None:
    images = urls([task.item for task in batch])
    studio.import_tasks(
        project,
        [
            {
                "data": task.data(images[task.item.id]),
                "predictions": [] if task.prediction is None else [task.prediction],
            }
            for task in batch
        ],
    )


def _batches(tasks: Sequence[_Task]) -> Iterator[Sequence[_Task]]:
    for start in range(0, len(tasks), _BATCH):
        yield tasks[start : start + _BATCH]
