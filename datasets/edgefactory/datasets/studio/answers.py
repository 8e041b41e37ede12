"""What people have answered so far, fetched anew only where it changed since the last pull.

Every task carries the time of its last change, so a list of the tasks tells which answers are
new, edited or gone. What was seen at the last pull is remembered in the cache; where that is
lost, everything is fetched again, and only what was deleted meanwhile goes unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from edgefactory.datasets.documents import Item, Label, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.fetching import default_cache
from edgefactory.datasets.files import read_bytes, write_file
from edgefactory.datasets.formats.label_studio import Answer, Region, answered_labels
from edgefactory.datasets.studio.client import Annotation, Project, Studio, TaskLine

_MAX_BYTES: Final = 1024 * 2**20


class SeenTask(Struct, frozen=True):
    """A task as it was at its last change; `sample` is the item's id, None for a foreign task."""

    sample: str | None
    updated_at: str
    answers: tuple[Annotation, ...] = ()


class Memory(Struct, frozen=True):
    """What a pull saw: tasks by number, and who took back all answers to a sample."""

    schema: Literal["label-studio-answers/1"]
    tasks: dict[int, SeenTask]
    withdrawn: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Answers:
    """All answers of a project now, and the samples whose answers changed since the last pull.

    `memory` goes to `remember` when the pull is complete.
    """

    project: Project
    memory: Memory
    people: Mapping[int, str]
    new: frozenset[str]
    edited: frozenset[str]
    deleted: frozenset[str]

    def by_sample(self) -> dict[str, tuple[Annotation, ...]]:
        """The answers to each sample that has a task; tasks of one sample count as one."""
        return _by_sample(self.memory.tasks.values())

    def who(self, answer: Annotation) -> str:
        """The address of the person who answered."""
        return self.people.get(answer.completed_by or 0, str(answer.completed_by or "unknown"))


@dataclass(frozen=True)
class Opinion:
    """The newest answer of one person to one picture, as labels."""

    who: str
    labels: tuple[Label, ...]
    starred: bool
    updated_at: str


def fetch_answers(studio: Studio, project: Project, progress: Progress) -> Answers:
    """All answers of `project`. Errors as `Studio`'s; `InputError` for a damaged memory."""
    before = _recall(_place(studio, project))
    lines = {line.id: line for line in studio.tasks(project)}
    tasks = {
        number: SeenTask(_sample(line), line.updated_at)
        if number not in before.tasks or before.tasks[number].updated_at != line.updated_at
        else before.tasks[number]
        for number, line in lines.items()
    }
    changed = [
        number
        for number, task in tasks.items()
        if task is not before.tasks.get(number)
        and lines[number].total_annotations + lines[number].cancelled_annotations
    ]
    for done, found in enumerate(studio.answers(project, changed)):
        progress(done, len(changed), "fetching answers")
        seen = tasks[found.id]
        tasks[found.id] = SeenTask(seen.sample, seen.updated_at, found.annotations)
    return _compared(project, studio.people(), before, tasks)


def remember(studio: Studio, answers: Answers) -> None:
    """Let the next pull start from these answers."""
    write_file(_place(studio, answers.project), msgspec.json.encode(answers.memory))


def opinions(item: Item, answers: Iterable[tuple[str, Annotation]]) -> list[Opinion]:
    """What each person says of `item`, by name; skipped answers say nothing.

    `answers` are persons with their annotations. Raises `InputError`, naming the person and the
    item, for a region that is no box of one class (or no class, where whole pictures have one).
    """
    newest: dict[str, Annotation] = {}
    for who, answer in answers:
        older = newest.get(who)
        if not answer.was_cancelled and (older is None or older.updated_at < answer.updated_at):
            newest[who] = answer
    return [_opinion(item, who, newest[who]) for who in sorted(newest)]


def _opinion(item: Item, who: str, answer: Annotation) -> Opinion:
    where = f"the answer of {who} to the picture {item.id[:12]}"
    try:
        regions = msgspec.convert(answer.result, tuple[Region, ...])
    except msgspec.ValidationError as error:
        raise InputError(f"{where} is not one of boxes or classes: {error}") from error
    labels = answered_labels(Answer(regions, completed_by=who), item, where)
    return Opinion(who, labels, answer.ground_truth, answer.updated_at)


def _compared(
    project: Project, people: Mapping[int, str], before: Memory, tasks: dict[int, SeenTask]
) -> Answers:
    old, now = _given(_by_sample(before.tasks.values())), _given(_by_sample(tasks.values()))
    deleted = frozenset(old.keys() - now.keys())
    withdrawn = {sample: who for sample, who in before.withdrawn.items() if sample not in now}
    for sample in deleted:
        names = {people.get(answer.completed_by or 0, "") for answer in old[sample]}
        withdrawn[sample] = tuple(sorted(names))
    return Answers(
        project,
        Memory("label-studio-answers/1", tasks, withdrawn),
        people,
        frozenset(now.keys() - old.keys()),
        frozenset(sample for sample in old.keys() & now.keys() if old[sample] != now[sample]),
        deleted,
    )


def _given(answers: Mapping[str, Iterable[Annotation]]) -> dict[str, tuple[Annotation, ...]]:
    """The samples with answers that count, without what does not change them."""
    given = {}
    for sample, found in answers.items():
        count = [
            msgspec.structs.replace(answer, updated_at="", lead_time=None)
            for answer in found
            if not answer.was_cancelled
        ]
        if count:
            given[sample] = tuple(sorted(count, key=lambda answer: answer.id))
    return given


def _by_sample(tasks: Iterable[SeenTask]) -> dict[str, tuple[Annotation, ...]]:
    found: dict[str, tuple[Annotation, ...]] = {}
    for task in tasks:
        if task.sample is not None:
            found[task.sample] = found.get(task.sample, ()) + task.answers
    return found


def _sample(line: TaskLine) -> str | None:
    sample = line.data.get("sample")
    return sample if isinstance(sample, str) else None


def _place(studio: Studio, project: Project) -> Path:
    """The memory's file; a project that was made anew under the same number has another."""
    name = f"{studio.url} {project.id} {project.created_at}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    return default_cache() / "label-studio" / f"{digest[:32]}.json"


def _recall(path: Path) -> Memory:
    if not path.is_file():
        return Memory("label-studio-answers/1", {}, {})
    content = read_bytes(path, _MAX_BYTES, "memory of answers")
    try:
        return msgspec.json.decode(content, type=Memory)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it and pull again") from error
