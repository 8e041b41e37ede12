"""The winner's longer run: as long as there is time for; a cut one has what it reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefactory.training.tuning.finishing import longer_run
from edgefactory.training.tuning.ladder import Climb, State
from edgefactory.training.tuning.search import LONGER, Search
from edgefactory.training.tuning.space import Values
from edgefactory.training.tuning.trial import Job

from .made import World
from .test_search import search_of

SAID = 0.5  # seconds an epoch, as the winner's own run had it
VALUES: Values = {"resolution": (64, 64), "width": 16, "depth": 1, "learning_rate": 0.01}
WINNER = Climb(0, VALUES, "complete", 27, 0.5, 13.5, SAID)


class Trainer:
    """Trains at its own pace, and goes on where it was; counts what it began.

    The first part of a run is done at `pace`, what follows at `later`.
    """

    def __init__(self, world: World, pace: float, later: float | None = None) -> None:
        self._world, self._pace, self._later = world, pace, later or pace
        self.begun: dict[int, int] = {}

    def __call__(self, job: Job) -> Climb:
        epochs = job.recipe.epochs
        earlier = self.begun.get(epochs, 0)
        pace = self._later if earlier else self._pace
        spent = pace * (job.until - earlier)
        self._world.seconds += min(spent, job.seconds)
        done = job.until if spent <= job.seconds else earlier + int(job.seconds / pace)
        self.begun[epochs] = done
        state: State = "waiting" if done == job.until else "cut"
        if done == epochs:
            state = "complete"
        return Climb(job.number, job.values, state, done, 0.6 if done else None, spent, pace)


def ran(
    folder: Path, left: float, pace: float, later: float | None = None
) -> tuple[Climb | None, Trainer, Search]:
    world = World()
    search = search_of(world, folder, left + 20.0, [])  # of which 20 s are for what comes after
    trainer = Trainer(world, pace, later)
    found = longer_run(search, WINNER, trainer)
    return found[1] if found else None, trainer, search


def test_it_is_as_long_as_there_is_time_for(tmp_path: Path) -> None:
    found, trainer, search = ran(tmp_path, 60.0, SAID)
    assert found is not None
    assert found.epochs == 109  # 60 s by 0.5 s an epoch, and a tenth to spare
    assert trainer.begun == {109: 109}
    assert search.clock.left >= search.closing


def test_it_has_an_upper_end(tmp_path: Path) -> None:
    found, _, _ = ran(tmp_path, 10_000.0, SAID)
    assert found is not None
    assert found.epochs == LONGER * 27


def test_epochs_that_somebody_fixed_stay(tmp_path: Path) -> None:
    search = search_of(World(), tmp_path, 10_000.0, [])
    search.epochs_fixed = True
    assert longer_run(search, WINNER, Trainer(World(), SAID)) is None
    assert search.left == search.clock.left - search.closing


@pytest.mark.parametrize("slower", [1.5, 2.0])
def test_where_it_is_slower_than_thought_it_begins_again_with_fewer(
    tmp_path: Path, slower: float
) -> None:
    found, trainer, search = ran(tmp_path, 120.0, SAID * slower)
    assert found is not None
    assert found.epochs < 218
    assert trainer.begun == {218: 28, found.epochs: found.epochs}
    assert search.clock.left >= search.closing


def test_a_little_more_is_not_worth_it(tmp_path: Path) -> None:
    found, trainer, _ = ran(tmp_path, 18.0, SAID)
    assert found is None
    assert not trainer.begun


@pytest.mark.parametrize(
    ("later", "reached"), [(1.0, 14 + 53), (80.0, 14)], ids=["slower", "it hardly moves"]
)
def test_what_slows_down_in_its_second_part_has_what_it_reached(
    tmp_path: Path, later: float, reached: int
) -> None:
    found, trainer, search = ran(tmp_path, 60.0, SAID, later)
    assert found is not None
    assert (found.state, found.epochs, found.value) == ("cut", reached, 0.6)
    assert trainer.begun == {109: reached}
    assert search.clock.left >= search.closing


def test_what_slows_down_in_its_first_part_has_what_it_reached(tmp_path: Path) -> None:
    found, trainer, _ = ran(tmp_path, 60.0, 10.0)
    assert found is not None
    assert (found.state, found.epochs) == ("cut", 6)
    assert trainer.begun == {109: 6}


def test_where_fewer_are_not_worth_it_the_one_that_began_goes_on(tmp_path: Path) -> None:
    found, trainer, _ = ran(tmp_path, 60.0, SAID * 2.5)
    assert found is not None
    assert found.state == "cut"
    assert trainer.begun == {109: 48}
