"""A small snapshot really tuned: time, budget, and going on after an end at any point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets import read_snapshot, snapshot_digest
from edgefactory.datasets.errors import InputError
from edgefactory.training import Augment, Recipe, load_checkpoint
from edgefactory.training.examples import load_examples
from edgefactory.training.networks import build
from edgefactory.training.scoring import score
from edgefactory.training.tuning import Cost, Space, Tuned, Tuning, parse_budgets, processes, tune
from edgefactory.training.tuning.finishing import Places, finish
from edgefactory.training.tuning.folder import Finished, Folder
from edgefactory.training.tuning.ladder import Climb, latest
from edgefactory.training.tuning.space import Range
from edgefactory.training.tuning.trial import Ground, Job, Trainee

pytestmark = pytest.mark.component

START = Recipe(
    task="classification",
    resolution=(16, 16),
    width=32,
    epochs=1,
    batch=4,
    ema=0.8,
    precision="32",
    threads=1,
    augment=Augment(shift=0.0, scale=0.0),
)
SPACE = Space(
    START,
    {"width": Range(16, 48, "linear", 16), "learning_rate": Range(0.0005, 0.02, "log")},
)


class Killed(BaseException):
    """Stands for the signal that ends the process."""


def weigh(recipe: Recipe) -> Cost:
    """The weights of the real network; nothing else is needed for a budget of them."""
    return Cost(sum(p.numel() for p in build(recipe, 2).parameters()), macs=0)


def asked(snapshot: Path, out: Path, **other: object) -> Tuning:
    budgets = parse_budgets(["parameters<=60k"])
    plain = Tuning(
        snapshot, out, budgets, None, SPACE, 300.0, 1.0, measure=weigh, measured_at="here", trials=6
    )
    return replace(plain, **other)  # type: ignore[arg-type] # the tests name the fields rightly


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


def stands(tuned: Tuned) -> list[tuple[int, object, str, float | None]]:
    found = latest(tuned.search.climbs).values()
    return [(c.number, c.values, c.state, c.value) for c in found]


def test_the_winner_is_a_checkpoint_within_the_budget(vouchers: Path, tmp_path: Path) -> None:
    tuned = tune(asked(vouchers, tmp_path / "out"), silent)
    checkpoint = load_checkpoint(tmp_path / "out" / "checkpoint")
    assert checkpoint == tuned.checkpoint
    assert checkpoint.lineage.parameters <= 60_000
    assert checkpoint.recipe.width < START.width
    assert checkpoint.lineage.snapshot_sha256 == snapshot_digest(vouchers)
    examples = load_examples(vouchers, read_snapshot(vouchers), "val", checkpoint.recipe)
    assert examples is not None
    value = score(checkpoint.network(), examples, "classification")
    assert value == tuned.finished.value
    assert len(latest(tuned.search.climbs)) == 6


def test_a_killed_search_goes_on_and_ends_as_it_would_have(vouchers: Path, tmp_path: Path) -> None:
    whole = tune(asked(vouchers, tmp_path / "whole"), silent)
    seen = 0

    def deadly(_done: int, _total: int, what: str) -> None:
        nonlocal seen
        seen += "step" in what
        if seen == 12:
            raise Killed

    with pytest.raises(Killed):
        tune(asked(vouchers, tmp_path / "out"), deadly)
    again = tune(asked(vouchers, tmp_path / "out"), silent)
    assert stands(again) == stands(whole)
    assert again.checkpoint.sha256 == whole.checkpoint.sha256
    numbers = [(climb.number, climb.epochs) for climb in again.search.climbs]
    assert len(set(numbers)) == len(numbers)


def test_a_finished_search_is_told_again_or_goes_on_with_more(
    vouchers: Path, tmp_path: Path
) -> None:
    first = tune(asked(vouchers, tmp_path / "out", trials=3), silent)
    again = tune(asked(vouchers, tmp_path / "out", trials=3), silent)
    assert stands(again) == stands(first)
    assert again.checkpoint == first.checkpoint
    more = tune(asked(vouchers, tmp_path / "out", trials=6), silent)
    assert stands(more)[:1] == stands(first)[:1]
    assert len(stands(more)) == 6


def test_candidates_that_diverge_are_failures_and_not_the_end(
    vouchers: Path, tmp_path: Path
) -> None:
    wild = Space(START, {**SPACE.dimensions, "learning_rate": Range(0.004, 1e30, "log")})
    tuned = tune(asked(vouchers, tmp_path / "out", space=wild), silent)
    failed = [climb for climb in tuned.search.climbs if climb.state == "failed"]
    assert failed
    assert "lower learning_rate" in failed[0].why
    assert tuned.winner.state == "complete"


def test_where_nobody_can_be_trained_the_first_reason_is_told(
    vouchers: Path, tmp_path: Path
) -> None:
    start = msgspec.structs.replace(START, learning_rate=1e30)
    wild = Space(start, {"width": SPACE.dimensions["width"], "weight_decay": Range(0.0, 0.1)})
    with pytest.raises(InputError, match="none of 6 candidates could be trained; the first one"):
        tune(asked(vouchers, tmp_path / "out", space=wild), silent)


def test_what_cannot_be_searched_is_one_line(
    vouchers: Path, snapshot: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--maximize 'ap50' is no figure of classification"):
        tune(asked(vouchers, tmp_path / "a", metric="ap50"), silent)
    with pytest.raises(InputError, match="snapshot for detection"):
        tune(asked(snapshot, tmp_path / "b"), silent)
    with pytest.raises(InputError, match=r"parameters<=\d+ would do"):
        tune(asked(vouchers, tmp_path / "c", budgets=parse_budgets(["parameters<=1k"])), silent)
    with pytest.raises(InputError, match="give --time more"):
        tune(asked(vouchers, tmp_path / "d", seconds=1.0), silent)


def test_jobs_are_done_by_other_processes_too(vouchers: Path, tmp_path: Path) -> None:
    ground = Ground(vouchers, snapshot_digest(vouchers), tmp_path)
    recipe = msgspec.structs.replace(START, width=16, epochs=6)
    jobs = [Job(n, {}, recipe, until, "accuracy", 60.0) for n, until in ((0, 2), (1, 6))]
    make: Callable[[], Trainee] = partial(Trainee, ground)
    found = [climb for _, climb in processes(1)(make, iter(jobs))]
    assert [(climb.state, climb.epochs) for climb in found] == [("waiting", 2), ("complete", 6)]
    assert make()(jobs[1]).value == found[1].value


def test_what_the_clock_cuts_is_worth_what_was_kept_of_it(vouchers: Path, tmp_path: Path) -> None:
    work = Trainee(Ground(vouchers, snapshot_digest(vouchers), tmp_path))
    recipe = msgspec.structs.replace(START, width=16, epochs=6)
    over = Job(0, {}, recipe, 6, "accuracy", 0.0)
    nothing = work(over)
    assert (nothing.state, nothing.epochs, nothing.value) == ("cut", 0, None)
    waiting = work(replace(over, until=2, seconds=60.0))
    cut = work(over)
    assert (cut.state, cut.epochs, cut.value) == ("cut", 2, waiting.value)
    assert work(replace(over, seconds=60.0)).state == "complete"


class Slowing:
    """Does what is first asked of it, and has no time for what follows."""

    def __init__(self, work: Trainee) -> None:
        self._work, self._asked = work, 0

    def __call__(self, job: Job) -> Climb:
        self._asked += 1
        return self._work(job if self._asked == 1 else replace(job, seconds=0.0))


@pytest.mark.parametrize("value", [0.0, 1.0], ids=["better", "worse"])
def test_a_longer_run_that_is_cut_is_kept_where_it_is_better(
    vouchers: Path, tmp_path: Path, value: float
) -> None:
    tuned = tune(asked(vouchers, tmp_path / "out", trials=1, epochs_fixed=True), silent)
    search, folder = tuned.search, Folder(tmp_path / "out")
    search.epochs_fixed = False
    own = search.epochs
    folder.learn(Finished(0, own, value, kept=True))
    ground = Ground(vouchers, snapshot_digest(vouchers), folder.runs)
    places = Places(vouchers, folder)
    checkpoint, finished = finish(
        search, tuned.winner, places, Slowing(Trainee(ground)), lambda _said: None
    )
    lost = folder.entries()[-1]
    assert isinstance(lost, Finished)
    assert 0 < lost.cut_after < lost.epochs
    if value:
        assert (finished.epochs, finished.cut_after, lost.kept) == (own, 0, False)
        assert checkpoint == tuned.checkpoint
        return
    assert finished == lost
    assert checkpoint.recipe.epochs == finished.epochs > own
    assert len(checkpoint.metrics.epochs) == finished.cut_after
    assert checkpoint.metrics.final == finished.value
    examples = load_examples(vouchers, read_snapshot(vouchers), "val", checkpoint.recipe)
    assert examples is not None
    assert score(checkpoint.network(), examples, "classification") == finished.value
    assert load_checkpoint(tmp_path / "out" / "checkpoint") == checkpoint
