"""A search's folder holds one search, of one caller at a time, and its time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.budgets import parse_budgets
from edgefactory.training.tuning.clock import Clock
from edgefactory.training.tuning.costs import Cost
from edgefactory.training.tuning.feasibility import Priced
from edgefactory.training.tuning.folder import About, Entry, Finished, Paced, opened
from edgefactory.training.tuning.ladder import Begun, Climb
from edgefactory.training.tuning.space import Range

ABOUT = About(
    schema="tune-search/1",
    snapshot_sha256="0" * 64,
    budgets=parse_budgets(["latency_ms<=4", "bytes<=1MB"]),
    metric="ap50",
    start=Recipe(),
    space={"width": Range(16, 64, "linear", 16), "ema": Range(0.9, 0.99)},
    seed=0,
    measured_at="here",
)


def test_what_was_learned_is_read_again_as_it_was(tmp_path: Path) -> None:
    lines: list[Entry] = [
        Priced(Recipe(), Cost(1, 2), None, 3.0),
        Paced(30, 1.5),
        Begun(0, {"resolution": (384, 288), "ema": 0.98}),
        Climb(0, {"resolution": (384, 288), "ema": 0.98}, "waiting", 10, 0.5, 12.0, 1.2),
        Climb(1, {"width": 64}, "failed", 0, None, 0.1, why="nan"),
        Finished(0, 90, 0.8, kept=True),
    ]
    with opened(tmp_path / "out", ABOUT) as folder:
        for line in lines:
            folder.learn(line)
    with opened(tmp_path / "out", ABOUT) as folder:
        assert folder.entries() == lines


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"snapshot_sha256": "1" * 64}, r"another snapshot \(000000000000\)"),
        ({"budgets": ()}, r"another --budget \(latency_ms<=4@onnxruntime:f32 bytes<=1000000@"),
        ({"metric": "ap"}, r"another --maximize \(ap50\)"),
        ({"start": Recipe(batch=8)}, r"another starting recipe \(batch\)"),
        ({"space": {"width": Range(16, 64, "linear", 16)}}, r"another space \(ema\)"),
        ({"seed": 7}, r"another --seed \(0\)"),
        ({"measured_at": "https://box:1"}, r"another box to measure on \(here\)"),
    ],
)
def test_another_search_in_the_folder_is_not_mixed_in(
    tmp_path: Path, other: dict[str, object], says: str
) -> None:
    with opened(tmp_path / "out", ABOUT):
        pass
    wanted = msgspec.structs.replace(ABOUT, **other)
    with pytest.raises(InputError, match=says), opened(tmp_path / "out", wanted):
        pass


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="is not replaced"), opened(tmp_path, ABOUT):
        pass


def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "out", ABOUT),
        pytest.raises(InputError, match="another `edgefactory tune` works in this folder"),
        opened(tmp_path / "out", ABOUT),
    ):
        pass


def test_the_time_of_all_calls_counts(tmp_path: Path) -> None:
    time = [100.0]
    first = Clock(tmp_path / "clock.json", 60.0, 95.0, lambda: time[0])
    assert (first.used, first.left) == (5.0, 55.0)
    time[0] = 120.0
    first.beat()  # written down now: the last time is long ago
    time[0] = 121.0
    first.beat()
    killed = first.used
    time[0] = 1000.0
    second = Clock(tmp_path / "clock.json", 60.0, 999.0, lambda: time[0])
    assert second.used == pytest.approx(killed - 1.0 + 1.0)
    assert second.left == pytest.approx(34.0)
    (tmp_path / "clock.json").write_text("{")
    assert Clock(tmp_path / "clock.json", 60.0, 1000.0, lambda: time[0]).used == 0.0
