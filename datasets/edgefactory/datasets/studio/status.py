"""How far the people are: pictures answered and waiting, by whom, how long the rest will take."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from edgefactory.datasets.documents import Progress, Snapshot
from edgefactory.datasets.studio.agreement import Agreement
from edgefactory.datasets.studio.answers import Answers, fetch_answers
from edgefactory.datasets.studio.client import Project, Studio
from edgefactory.datasets.studio.pulling import judge
from edgefactory.datasets.studio.pushing import waiting


@dataclass(frozen=True)
class Person:
    """One person's answers, how many of them skip, and the median time of one in seconds."""

    who: str
    answers: int
    skipped: int
    seconds: float | None


@dataclass(frozen=True)
class Status:
    """A project's pictures of one snapshot.

    `tasks` are in the project, of these `answered` by as many people as were asked for, and
    `open_answers` are still to be given; `unpushed` wait for a person and are in no task.
    `seconds_left` is the time that one person needs for the open answers; None: not known yet.
    """

    tasks: int
    answered: int
    unpushed: int
    open_answers: int
    seconds_left: float | None
    conflicts: int
    agreement: Agreement
    people: tuple[Person, ...]


def status(studio: Studio, project: Project, snapshot: Snapshot, progress: Progress) -> Status:
    """Where the project stands with the pictures of `snapshot`. Errors as `fetch_answers`."""
    answers = fetch_answers(studio, project, progress)
    known = {item.id for item in snapshot.items}
    by_sample = {id_: given for id_, given in answers.by_sample().items() if id_ in known}
    still = [
        max(0, project.maximum_annotations - len({answers.who(one) for one in given}))
        for given in by_sample.values()
    ]
    judged = judge(snapshot, answers)
    seconds = [
        one.lead_time
        for given in by_sample.values()
        for one in given
        if one.lead_time and not one.was_cancelled
    ]
    # The median: whoever goes for a coffee in the midst of a picture spoils a mean.
    return Status(
        len(by_sample),
        sum(left == 0 for left in still),
        len(set(waiting(snapshot)) - by_sample.keys()),
        sum(still),
        sum(still) * median(seconds) if seconds else None,
        len(judged.conflicts),
        judged.agreement,
        _people(answers, known),
    )


def _people(answers: Answers, known: set[str]) -> tuple[Person, ...]:
    given = defaultdict(list)
    for sample, found in answers.by_sample().items():
        for one in found if sample in known else ():
            given[answers.who(one)].append(one)
    people = []
    for who, mine in sorted(given.items()):
        seconds = [one.lead_time for one in mine if one.lead_time and not one.was_cancelled]
        skipped = sum(one.was_cancelled for one in mine)
        people.append(Person(who, len(mine), skipped, median(seconds) if seconds else None))
    return tuple(people)
