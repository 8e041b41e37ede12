"""The search itself: who is trained next and how far, until the time for it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import msgspec
import numpy as np

from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.clock import Clock
from edgefactory.training.tuning.costs import Cost
from edgefactory.training.tuning.executors import Executor, Work
from edgefactory.training.tuning.feasibility import Feasibility
from edgefactory.training.tuning.fitting import (
    SLIMMING,
    at_the_limit,
    fitted,
    nearest_known,
    scaled_start,
)
from edgefactory.training.tuning.ladder import Begun, Climb, best_of, latest, promoted, rungs_of
from edgefactory.training.tuning.pace import epoch_seconds
from edgefactory.training.tuning.proposing import proposal
from edgefactory.training.tuning.space import ARCHITECTURE, Space, Values
from edgefactory.training.tuning.trial import Job

FIRST: Final = 0  # the starting recipe, scaled into the budgets
SLIM: Final = 1  # the same, scaled by giving up channels before pixels; both run to their ends
SPREAD: Final = 4  # up to this one, its own settings on other architectures
_SPREAD_ATTEMPTS: Final = 5  # at one of these
_ATTEMPTS: Final = 30  # at a newcomer that nobody has tried before
LONGER: Final = 20.0  # times a whole run's epochs, which the winner gets where there is time
CAUTION: Final = 1.2  # what else a machine does comes and goes
_LAST_RUN: Final = 0.5  # of the time, at most, is kept for that
_HOPELESS: Final = 10  # failures and nothing else
_MEASURING: Final = 0.25  # of the time, at most; then known architectures must do


@dataclass
class Search:
    """A search under way for the best `metric` on the val split in `space`.

    A whole run has `epochs` epochs, of `steps` steps each with the start's batch; `pace` are the
    seconds of one of the first candidate's, None as long as neither is settled. At most `trials`
    candidates begin. What comes after the search needs `closing` seconds.
    """

    space: Space
    metric: str
    seed: int
    trials: int
    epochs: int
    epochs_fixed: bool
    steps: int
    closing: float
    feasible: Feasibility
    clock: Clock
    climbs: list[Climb]
    pace: float | None
    learned: Callable[[Begun | Climb], None]
    running: dict[int, Values] = field(default_factory=dict)

    def run(self, execute: Executor, make: Callable[[], Work]) -> None:
        """Search until the time is over; `learned` is told of every beginning and result."""
        # Several workers can come to an end while one of them makes a further job possible.
        while (first := next(jobs := self._jobs(), None)) is not None:
            for job, climb in execute(make, chain([first], jobs)):
                del self.running[job.number]
                self.take(climb)

    def take(self, climb: Climb) -> None:
        """What has become of a job; one that was cut is where it was, and can be taken up."""
        if climb.state != "cut":
            self.climbs.append(climb)
            self.learned(climb)

    def _jobs(self) -> Iterator[Job]:
        while (job := self._next()) is not None:
            self.running[job.number] = job.values
            self.learned(Begun(job.number, job.values))
            yield job

    @property
    def left(self) -> float:
        """Seconds that the search may still take."""
        return self._all_there_is - self._last_run

    @property
    def _last_run(self) -> float:
        """Seconds that are left to the winner, to be trained for longer.

        A share of all that goes into training: starting up and measuring take from both alike.
        """
        best = best_of(self.climbs) or self.climbs
        whole = best[0].epoch_seconds * self.epochs if best else 0.0
        training = self._all_there_is + sum(c.seconds for c in self.climbs)
        most = min(_LAST_RUN * training, _LAST_RUN * self.clock.limit)
        return 0.0 if self.epochs_fixed else max(0.0, min(most, LONGER * CAUTION * whole))

    @property
    def most_epochs(self) -> int:
        """What the winner gets where there is time."""
        return self.epochs if self.epochs_fixed else round(LONGER * self.epochs)

    def first(self) -> Values | None:
        """The starting recipe, scaled into the budgets; None where nothing keeps them."""
        return scaled_start(self.space, self.feasible)

    def _next(self) -> Job | None:
        """Whoever should climb, else a newcomer, else the best who can still reach the top."""
        settled = [climb for climb in self.climbs if climb.number not in self.running]
        stands = latest(settled)
        shapes = [one.number for one in stands.values() if self._is_shape(one.number, one.values)]
        number = promoted(settled, self.rungs, shapes)
        if number is not None:
            return self._further(stands[number])
        newcomer = self._newcomer()
        if newcomer is not None:
            return newcomer
        jobs = (self._further(climb) for climb in best_of(settled, "waiting"))
        return next((job for job in jobs if job is not None), None)

    def _further(self, climb: Climb) -> Job | None:
        """The candidate's way to its next rung, if there is time to go to the top."""
        until = min(rung for rung in self.rungs if rung > climb.epochs)
        return self._job(climb.number, climb.values, until, self.epochs - climb.epochs)

    def _newcomer(self) -> Job | None:
        """The next candidate, if there is time to train it to the end should it be good."""
        number = len({climb.number for climb in self.climbs} | self.running.keys())
        shortest = min((seconds for _, seconds in self._known()), default=0.0) * self.epochs
        most = self.left if number > SLIM else self._all_there_is
        if number >= self.trials or most <= shortest or self._hopeless:
            return None
        values, until = self._values(number), self.rungs[0]
        if values is None:
            return None
        # The second shape's pace is a guess that is mostly too careful: its first rung will tell.
        begins = number == SLIM and self._is_shape(number, values)
        return self._job(number, values, until, until if begins else self.epochs)

    def _job(self, number: int, values: Values, until: int, epochs: int) -> Job | None:
        """None where `epochs` of it would take longer than there is time."""
        recipe = self.recipe(values)
        room = self._all_there_is if self._is_shape(number, values) else self.left
        seconds = 0.0 if number == FIRST else epoch_seconds(recipe, self._known()) or 0.0
        if room <= epochs * seconds:
            return None
        return Job(number, values, recipe, until, self.metric, room)

    def _is_shape(self, number: int, values: Values) -> bool:
        """Whether it is the starting recipe, or the second candidate and the same on another shape.

        These may take all there is, the winner's longer run included: without the first one there
        would be no result at all, and which shape wins is worth more than how long it is trained.
        """
        if number != SLIM:
            return number == FIRST
        other = {key for key, value in (self.first() or {}).items() if values.get(key) != value}
        return bool(other) and other <= set(ARCHITECTURE)

    @property
    def _all_there_is(self) -> float:
        """Seconds left, but for what comes after the search."""
        return self.clock.left - self.closing

    def cost(self, values: Values) -> Cost:
        """What a candidate's architecture costs; it was measured before the candidate began."""
        cost = self.feasible.cost(self.recipe(values))
        assert cost is not None
        return cost

    def recipe(self, values: Values) -> Recipe:
        """A candidate's recipe, over the whole run's epochs."""
        recipe = self.space.recipe(values)
        return msgspec.structs.replace(recipe, epochs=self.epochs)

    def _known(self) -> list[tuple[Recipe, float]]:
        known = [(self.recipe(c.values), c.epoch_seconds) for c in self.climbs if c.epoch_seconds]
        first = self.first() if self.pace and not known else None
        return known if first is None else [(self.recipe(first), self.pace or 0.0)]

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs of each rung, the last the whole run."""
        return rungs_of(self.epochs, self.steps * self.epochs)

    def _values(self, number: int) -> Values | None:
        """Somebody new who keeps the budgets; None where nobody is found."""
        if number == FIRST:
            return self.first()
        tried = [climb.values for climb in self.climbs] + list(self.running.values())
        if number == SLIM and self._may_measure:
            slim = scaled_start(self.space, self.feasible, SLIMMING)
            if slim is not None and slim not in tried:
                return slim
        for attempt in range(_ATTEMPTS):
            chance = np.random.default_rng((self.seed, number, attempt))
            spread = number <= SPREAD and attempt < _SPREAD_ATTEMPTS
            values = self._other_size(chance) if spread else self._proposed(chance)
            if values is not None and values not in tried:
                return values
        return None

    def _other_size(self, chance: np.random.Generator) -> Values | None:
        """The first candidate's values on another architecture that just fits."""
        point = {key: float(chance.random()) for key in self.space.dimensions}
        drawn = self.space.values(point)
        own = {key: value for key, value in drawn.items() if key in ARCHITECTURE}
        wish = {**(self.first() or {}), **own}
        if self._may_measure:
            return at_the_limit(self.space, self.feasible, wish, chance)
        return nearest_known(self.space, self.feasible, wish)

    def _proposed(self, chance: np.random.Generator) -> Values | None:
        wish = self.space.values(proposal(self.space, self.climbs, chance))
        if self._may_measure:
            return fitted(self.space, self.feasible, wish, chance)
        return nearest_known(self.space, self.feasible, wish)

    @property
    def _hopeless(self) -> bool:
        """Whether many have begun and nobody could be trained."""
        return len(self.climbs) >= _HOPELESS and all(c.state == "failed" for c in self.climbs)

    @property
    def _may_measure(self) -> bool:
        return self.feasible.seconds < _MEASURING * self.clock.limit
