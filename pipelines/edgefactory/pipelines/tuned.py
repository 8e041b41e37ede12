"""From a search to `tune.json`: the winner shipped, measured again, judged; the rest explained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from edgefactory.compress.bench import Bench
from edgefactory.compress.shipping import Shipping, forms_of
from edgefactory.datasets import Progress, Snapshot, snapshot_digest
from edgefactory.datasets.documents import read_document
from edgefactory.training.tuning import Tuned, Tuning
from edgefactory.training.tuning.budgets import Budget
from edgefactory.training.tuning.costs import Cost, FormCost
from edgefactory.training.tuning.document import Candidate, Check, File, Tune, Winner
from edgefactory.training.tuning.explaining import dropped, front, larger, mattered
from edgefactory.training.tuning.folder import RESULT
from edgefactory.training.tuning.ladder import State, latest

MODELS: Final = "models"

_PICTURE_SECONDS: Final = 0.02  # to decode a picture, run it and judge it
_BASE_SECONDS: Final = 8.0  # to load the data once more, export, draw the page
_MOST: Final = 0.25  # of the promised time


def closing_seconds(
    snapshot: Snapshot, budgets: tuple[Budget, ...], promised: float, measuring: float
) -> float:
    """How long the end takes: `measuring` a form, judging every file on val and test, the page."""
    forms = max(1, len(forms_of(budgets)))
    pictures = len(snapshot.split("val")) + len(snapshot.split("test"))
    seconds = _BASE_SECONDS + forms * (measuring + pictures * _PICTURE_SECONDS)
    return min(seconds, _MOST * promised)


def document(
    asked: Tuning, tuned: Tuned, snapshot: Snapshot, bench: Bench, progress: Progress
) -> Tune:
    """Ship the winner into the search's folder, and say everything about the search.

    `bench` measures the winner again. Errors as `Shipping.files`.
    """
    search, clock = tuned.search, tuned.search.clock
    shipping = Shipping(tuned.checkpoint, asked.snapshot, asked.budgets, bench, asked.out / MODELS)

    def judging(_done: int, _total: int, what: str) -> None:
        progress(round(clock.used), round(clock.limit), f"judging the winner, {what}")

    files = _earlier(asked.out, tuned) or shipping.files(judging)
    candidates = _candidates(tuned)
    lost = dropped(search.feasible)
    return Tune(
        schema="tune/1",
        snapshot_sha256=snapshot_digest(asked.snapshot),
        snapshot=snapshot.name,
        task=asked.space.start.task,
        metric=search.metric,
        budgets=asked.budgets,
        measured_at=asked.measured_at,
        start=asked.space.start,
        space=dict(asked.space.dimensions),
        seed=asked.seed,
        promised_seconds=clock.limit,
        used_seconds=clock.used,
        measuring_seconds=search.feasible.seconds,
        epochs=search.epochs,
        rungs=search.rungs,
        candidates=candidates,
        dropped=lost,
        front=front(candidates, asked.budgets),
        winner=_winner(asked, tuned, files),
        mattered=mattered(asked.space, search.climbs, search.rungs[0]),
        larger=larger(lost, asked.budgets),
    )


def _earlier(out: Path, tuned: Tuned) -> tuple[File, ...]:
    """The files that an earlier call has shipped, if it came to the same winner."""
    if not (out / RESULT).is_file():
        return ()
    winner = read_document(out / RESULT, Tune).winner
    whole = all((out / file.file).is_file() for file in winner.files)
    return winner.files if whole and winner.checkpoint_sha256 == tuned.checkpoint.sha256 else ()


def _winner(asked: Tuning, tuned: Tuned, files: tuple[File, ...]) -> Winner:
    checkpoint, cost = tuned.checkpoint, tuned.search.cost(tuned.winner.values)
    again = Cost(
        parameters=cost.parameters,
        macs=cost.macs,
        forms=tuple(FormCost(file.form, file.bytes, file.latency) for file in files),
    )
    return Winner(
        number=tuned.winner.number,
        recipe=checkpoint.recipe,
        value=tuned.finished.value,
        longer=tuned.finished.epochs > tuned.search.epochs,
        checkpoint_sha256=checkpoint.sha256,
        checks=tuple(_check(budget, again) for budget in asked.budgets),
        files=files,
        cut_after=tuned.finished.cut_after,
    )


def _check(budget: Budget, cost: Cost) -> Check:
    figure = cost.of(budget) or 0.0
    return Check(budget, figure, figure <= budget.limit)


def _candidates(tuned: Tuned) -> tuple[Candidate, ...]:
    search = tuned.search
    spent: dict[int, float] = {}
    for climb in search.climbs:
        spent[climb.number] = spent.get(climb.number, 0.0) + climb.seconds
    stands = sorted(latest(search.climbs).items())
    return tuple(
        Candidate(
            number=number,
            values=climb.values,
            cost=search.cost(climb.values),
            state=_STATES[climb.state],
            epochs=climb.epochs,
            seconds=spent[number],
            value=climb.value,
            why=climb.why,
        )
        for number, climb in stands
    )


_STATES: Final[Mapping[State, Literal["complete", "stopped", "failed"]]] = {
    "complete": "complete",
    "waiting": "stopped",
    "cut": "stopped",
    "failed": "failed",
}
