"""A search in a world of formulas: what it finds, in what time, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from edgefactory.training.tuning.clock import Clock
from edgefactory.training.tuning.executors import Work
from edgefactory.training.tuning.feasibility import Feasibility, Priced
from edgefactory.training.tuning.ladder import Begun, Climb, best_of, latest
from edgefactory.training.tuning.search import FIRST, SLIM, Search
from edgefactory.training.tuning.space import Space
from edgefactory.training.tuning.trial import Job

from .made import BUDGETS, SPACE, World, worth


class Killed(BaseException):
    """Stands for the signal that ends the process."""


def search_of(
    world: World, folder: Path, seconds: float, lines: list[object], seed: int = 0
) -> Search:
    feasible = Feasibility(BUDGETS, world.measure, lines.append, world.now)
    feasible.know(line for line in lines if isinstance(line, Priced))
    return Search(
        space=SPACE,
        metric="ap50",
        seed=seed,
        trials=1000,
        epochs=27,
        epochs_fixed=False,
        steps=100,
        closing=20.0,
        feasible=feasible,
        clock=Clock(folder / "clock.json", seconds, 0.0, world.now),
        climbs=[line for line in lines if isinstance(line, Climb)],
        pace=0.5,
        learned=lines.append,
    )


def in_turn(make: Callable[[], Work], jobs: Iterable[Job]) -> Iterator[tuple[Job, Climb]]:
    work = make()
    for job in jobs:
        yield job, work(job)


def searched(world: World, folder: Path, seconds: float, seed: int = 0) -> list[object]:
    lines: list[object] = []
    search_of(world, folder, seconds, lines, seed).run(in_turn, lambda: world.train)
    return lines


def climbs_in(lines: Sequence[object]) -> list[Climb]:
    return [line for line in lines if isinstance(line, Climb)]


def test_it_finds_better_than_it_began_with_and_within_the_budget(tmp_path: Path) -> None:
    for seed in range(3):
        world = World()
        climbs = climbs_in(searched(world, tmp_path, 300, seed))
        best = best_of(climbs)[0]
        start = latest(climbs)[FIRST]
        assert start.state == "complete"
        assert worth(SPACE.recipe(best.values)) > worth(SPACE.recipe(start.values)) + 0.02
        assert all(measured.learning_rate == 0.004 for measured in world.measured)
        known = {(*m.resolution, m.width, m.depth) for m in world.measured}
        recipes = [job.recipe for job in world.trained]
        assert {(*r.resolution, r.width, r.depth) for r in recipes} <= known


@pytest.mark.parametrize("seconds", [40.0, 100.0, 300.0])
def test_the_time_is_kept_with_what_comes_after(tmp_path: Path, seconds: float) -> None:
    world = World()
    lines = searched(world, tmp_path, seconds)
    assert world.seconds <= seconds - 20.0
    if seconds > 40:
        assert best_of(climbs_in(lines))


@pytest.mark.parametrize("seconds", [65.0, 110.0, 180.0])
def test_two_shapes_are_compared_even_where_the_winner_gets_less_for_it(
    tmp_path: Path, seconds: float
) -> None:
    climbs = latest(climbs_in(searched(World(), tmp_path, seconds)))
    assert {climbs[FIRST].state, climbs[SLIM].state} == {"complete"}


def test_without_a_second_shape_the_second_candidate_leaves_the_winner_its_time(
    tmp_path: Path,
) -> None:
    lines: list[object] = []
    world = World()
    search = search_of(world, tmp_path, 65.0, lines)
    search.space = Space(SPACE.start, {"learning_rate": SPACE.dimensions["learning_rate"]})
    search.run(in_turn, lambda: world.train)
    assert {number: c.state for number, c in latest(climbs_in(lines)).items()} == {
        FIRST: "complete"
    }
    assert search.clock.left - search.closing > search.epochs * 0.5


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    first, again, other = (searched(World(), tmp_path, 300, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_most_are_stopped_early_and_nobody_is_trained_twice(tmp_path: Path) -> None:
    world = World()
    climbs = climbs_in(searched(world, tmp_path, 400))
    ends = latest(climbs).values()
    assert sum(c.state == "waiting" for c in ends) > sum(c.state == "complete" for c in ends)
    assert len({tuple(c.values.items()) for c in ends}) == len(ends)
    steps = [(job.number, job.until) for job in world.trained]
    assert len(set(steps)) == len(steps)


@pytest.mark.parametrize("after", [1, 9])
def test_what_is_killed_goes_on_as_if_nothing_had_been(tmp_path: Path, after: int) -> None:
    whole = climbs_in(searched(World(), tmp_path, 250))
    lines: list[object] = []
    world = World()
    calls = 0

    def deadly(job: Job) -> Climb:
        nonlocal calls
        calls += 1
        if calls == after:
            raise Killed
        return world.train(job)

    with pytest.raises(Killed):
        search_of(world, tmp_path, 250, lines).run(in_turn, lambda: deadly)
    assert isinstance(lines[-1], Begun)
    search_of(world, tmp_path, 250, lines).run(in_turn, lambda: world.train)
    assert climbs_in(lines) == whole


def test_several_at_once_find_something_too(tmp_path: Path) -> None:
    """Workers that hold jobs while others finish, in another order than they began."""
    world = World()

    def three(make: Callable[[], Work], jobs: Iterable[Job]) -> Iterator[tuple[Job, Climb]]:
        work, left = make(), iter(jobs)
        held: list[Job] = []
        while True:
            while len(held) < 3 and (job := next(left, None)) is not None:
                held.append(job)
            if not held:
                return
            done = held.pop(len(held) // 2)
            yield done, work(done)

    lines: list[object] = []
    search_of(world, tmp_path, 300, lines).run(three, lambda: world.train)
    best = best_of(climbs_in(lines))[0]
    assert worth(SPACE.recipe(best.values)) > worth(SPACE.recipe(SPACE.begin))


def test_a_search_in_which_everybody_fails_ends(tmp_path: Path) -> None:
    world, lines = World(), list[object]()

    def failing(job: Job) -> Climb:
        world.seconds += 0.1
        return Climb(job.number, job.values, "failed", 0, None, 0.1, why="the loss is nan")

    search_of(world, tmp_path, 10_000, lines).run(in_turn, lambda: failing)
    assert len(climbs_in(lines)) == 10


def test_somebody_who_fails_is_not_the_end(tmp_path: Path) -> None:
    world, lines = World(), list[object]()

    def some(job: Job) -> Climb:
        if job.number % 2:
            return Climb(job.number, job.values, "failed", 0, None, 0.1, why="the loss is nan")
        return world.train(job)

    search_of(world, tmp_path, 300, lines).run(in_turn, lambda: some)
    climbs = latest(climbs_in(lines)).values()
    assert {c.state for c in climbs} == {"failed", "complete", "waiting"}
