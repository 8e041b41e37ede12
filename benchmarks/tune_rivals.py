"""What `tune_budget` compares: the search, random search and the default recipe, in equal time.

All three draw from the same space, ask the same meter, train by the same code, choose by val, and
end with a checkpoint folder before their time is over.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from edgefactory.datasets import read_snapshot, snapshot_digest
from edgefactory.training import Recipe, recipe_from
from edgefactory.training.trainer import Places, Plan, carry_out
from edgefactory.training.tuning import (
    Budget,
    Measure,
    Space,
    Tuning,
    derived_space,
    facts_of,
    parse_budgets,
    tune,
)
from edgefactory.training.tuning.feasibility import Feasibility
from edgefactory.training.tuning.fitting import SLIMMING, fitted, scaled_start
from edgefactory.training.tuning.ladder import Climb
from edgefactory.training.tuning.space import Values
from edgefactory.training.tuning.trial import Ground, Job, Trainee
from tune_tasks import Task

_CLOSING: Final = 2.0  # seconds, to write the winner's checkpoint
_CAUTION: Final = 1.2  # what else a machine does comes and goes
_WORTH: Final = 1.25  # times the default's epochs; less is not worth another run
_TESTED: Final = 8  # a longer run shows its pace in one of so many parts
_BEGINNINGS: Final = 2  # of a longer run
_DRAWS: Final = 200  # at a point of which a scaling fits


@dataclass(frozen=True)
class Contest:
    """One task and seed: `seconds` for each way, `measure` to price architectures by."""

    task: Task
    seed: int
    snapshot: Path
    folder: Path
    seconds: float
    measure: Measure
    say: Callable[[str], None]

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """What candidates must keep."""
        return parse_budgets(self.task.budgets)

    @property
    def space(self) -> Space:
        """Where candidates come from: what `edgefactory tune` takes where nobody names a space."""
        start = recipe_from({**self.task.recipe, "seed": self.seed}, "the benchmark's recipe")
        return Space(start, derived_space(start, facts_of(read_snapshot(self.snapshot))))


def searched(contest: Contest) -> Path:
    """The checkpoint that `edgefactory tune` comes to."""
    asked = Tuning(
        snapshot=contest.snapshot,
        out=contest.folder / "out",
        budgets=contest.budgets,
        metric=contest.task.metric,
        space=contest.space,
        seconds=contest.seconds,
        closing=_CLOSING,
        measure=contest.measure,
        measured_at="here",
        seed=contest.seed,
    )
    return tune(
        asked, lambda used, _limit, what: contest.say(f"{used} s, {what}")
    ).checkpoint.folder


def at_random(contest: Contest) -> Path:
    """The best on val of points drawn evenly, each trained for all epochs of the recipe.

    A point over the budget is made smaller at random until it fits, as the search does it: a
    stronger rival than one that throws such points away.
    """
    runs = _Runs(contest)
    chance = np.random.default_rng((contest.seed, 1))
    best: tuple[float, Recipe] | None = None
    while runs.left > 0:
        values = _drawn(runs, chance)
        recipe = runs.space.recipe(values)
        climb = runs.train(values, recipe)
        if climb.state == "cut":
            break
        if climb.value is not None and (best is None or climb.value > best[0]):
            best = (climb.value, recipe)
    if best is None:  # not even one whole run: nothing to choose from
        raise RuntimeError("the time was too short for one run of random search")
    return runs.checkpoint(best[1])


def by_default(contest: Contest) -> Path:
    """The default recipe on its largest scaling that fits: its own epochs, or as many more as
    there is time for, and what that has reached if it is cut; the better one on val."""
    runs = _Runs(contest)
    values = _default(runs)
    usual = runs.space.recipe(values)
    first = runs.train(values, usual)
    if first.state == "cut":
        raise RuntimeError("the time was too short for the default recipe")
    found, seconds, longer = first, first.epoch_seconds, usual
    for _ in range(_BEGINNINGS):
        epochs = int(runs.left / (seconds * _CAUTION))
        if epochs < _WORTH * usual.epochs:
            break
        longer = msgspec.structs.replace(usual, epochs=epochs)
        tested = runs.train(values, longer, -(-epochs // _TESTED))
        if tested.state != "waiting":
            break
        seconds = tested.epoch_seconds
        if (epochs - tested.epochs) * seconds > runs.left:
            continue  # as the search does it: again with fewer, rather than be cut at the end
        found = runs.train(values, longer)
        break
    better = (found.value or 0.0) > (first.value or 0.0)
    return (
        runs.checkpoint(longer, stopped=found.state == "cut") if better else runs.checkpoint(usual)
    )


def macs_of_scalings(contest: Contest) -> int:
    """Measure the default recipe's scalings, by pixels and by channels first; their MACs together.

    Raises RuntimeError when none keeps the budgets.
    """
    runs = _Runs(contest)
    scalings = [_default(runs), scaled_start(runs.space, runs.feasible, SLIMMING)]
    costs = [runs.feasible.cost(runs.space.recipe(values)) for values in scalings if values]
    return sum(cost.macs for cost in costs if cost)


def _default(runs: "_Runs") -> Values:
    values = scaled_start(runs.space, runs.feasible)
    if values is None:
        raise RuntimeError("no scaling of the default recipe keeps the budgets")
    return values


WAYS: Final[Mapping[str, Callable[[Contest], Path]]] = {
    "tune": searched,
    "random": at_random,
    "default": by_default,
}


class _Runs:
    """Whole trainings, one after the other, until the contest's time is over."""

    def __init__(self, contest: Contest) -> None:
        began = time.monotonic()
        self._end = began + contest.seconds - _CLOSING
        self._contest, self.space = contest, contest.space
        self.feasible = Feasibility(
            contest.budgets, contest.measure, lambda _priced: None, time.monotonic
        )
        self._scratch = contest.folder / "runs"
        # What an interrupted call has trained was not within this one's time.
        shutil.rmtree(self._scratch, ignore_errors=True)
        ground = Ground(contest.snapshot, snapshot_digest(contest.snapshot), self._scratch)
        self._trainee = Trainee(ground, lambda said: contest.say(f"{self.left:.0f} s left, {said}"))

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def train(self, values: Values, recipe: Recipe, until: int | None = None) -> Climb:
        """To the end, or to an epoch from which a later call goes on."""
        metric = self._contest.task.metric
        return self._trainee(Job(0, values, recipe, until or recipe.epochs, metric, self.left))

    def checkpoint(self, recipe: Recipe, *, stopped: bool = False) -> Path:
        """Of a run that is complete or `stopped`: its state lies in the scratch folder."""
        out = self._contest.folder / "checkpoint"
        places = Places(self._contest.snapshot, out, self._scratch, None)
        carry_out(Plan(recipe, stopped=stopped), places, None)
        return out


def _drawn(runs: _Runs, chance: np.random.Generator) -> Values:
    for _ in range(_DRAWS):
        point = {key: float(chance.random()) for key in runs.space.dimensions}
        values = fitted(runs.space, runs.feasible, runs.space.values(point), chance)
        if values is not None:
            return values
    raise RuntimeError("nothing in the space keeps the budgets")
