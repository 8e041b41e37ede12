"""A small world to search in: prices by a formula, learning by a formula, time by a counter."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.budgets import parse_budgets
from edgefactory.training.tuning.costs import Cost, FormCost, Latency
from edgefactory.training.tuning.ladder import Climb
from edgefactory.training.tuning.space import Choice, Range, Space
from edgefactory.training.tuning.trial import Job

BUDGETS = parse_budgets(["latency_ms<=2"])
FORM = BUDGETS[0].form
SPACE = Space(
    Recipe(epochs=27),
    {
        "resolution": Choice(tuple((16 * n, 16 * n) for n in range(4, 25))),
        "width": Range(16, 96, "linear", 16),
        "depth": Range(1, 3, "linear", 1),
        "learning_rate": Range(1e-4, 1e-1, "log"),
    },
)


@dataclass
class World:
    """Time that passes as things are done."""

    seconds: float = 0.0
    measured: list[Recipe] = field(default_factory=list)
    trained: list[Job] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def measure(self, recipe: Recipe) -> Cost:
        """A latency that grows with the arithmetic; a very deep network cannot be built."""
        assert FORM is not None
        self.seconds += 2.0
        self.measured.append(recipe)
        if recipe.depth > 10:
            raise InputError("too deep to be built")
        macs = _macs(recipe)
        ms = macs / 1e8
        latency = Latency(ms, (0.99 * ms, 1.01 * ms), True)
        return Cost(recipe.width * 1000, macs, (FormCost(FORM, recipe.width * 4000, latency),))

    def train(self, job: Job) -> Climb:
        """More arithmetic is better, and so is a learning rate near 0.01; all improve with time."""
        earlier = max((j.until for j in self.trained if j.number == job.number), default=0)
        self.trained.append(job)
        spent = 0.5 * (job.until - earlier)
        self.seconds += min(spent, job.seconds)
        if spent > job.seconds:
            return Climb(job.number, job.values, "cut", 0, None, job.seconds)
        ended = job.until == job.recipe.epochs
        return Climb(
            job.number,
            job.values,
            "complete" if ended else "waiting",
            job.until,
            worth(job.recipe) * job.until / (job.until + 2),
            spent,
            0.5,
        )


def worth(recipe: Recipe) -> float:
    """What a recipe would reach at last, 0..1."""
    far = abs(recipe.learning_rate / 0.01 - 1) / (recipe.learning_rate / 0.01 + 1)
    return 0.9 * (_macs(recipe) / (_macs(recipe) + 2e7)) * (1 - 0.5 * far)


def _macs(recipe: Recipe) -> int:
    width, height = recipe.resolution
    return width * height * recipe.width * recipe.depth // 2 * 10
