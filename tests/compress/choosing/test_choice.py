"""From a checkpoint to variants: what was tried is what ships, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_runtime.contract import digest
from edgefactory.compress import ProveSettings, load_variants, prove
from edgefactory.compress.choosing import Here, Wishes, choose
from edgefactory.compress.choosing.executable import Executable
from edgefactory.compress.choosing.timing import Outcome
from edgefactory.compress.settings import CompressSettings
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import InputError
from edgefactory.training import Recipe, load_checkpoint
from edgefactory.training.tuning import Budget

from ..finetuning.conftest import write_lively
from .attempts import result

pytestmark = pytest.mark.component

DETECTOR = Recipe(resolution=(48, 32), width=16, batch=3, threads=1, precision="32", epochs=3)
CPU = CompressSettings(targets=("onnx", "openvino"), calibration=4)


@dataclass
class ByPrecision:
    """A stopwatch that says what it was told for a precision, and remembers who was timed."""

    ms: dict[str, float]
    timed: list[Executable] = field(default_factory=list)
    where: str = "here"

    def measure(self, models: Sequence[Executable], progress: Progress) -> list[Outcome]:
        self.timed = list(models)
        return [result(self.ms[model.precision]) for model in models]


@pytest.fixture
def checkpoint(snapshot: Path, tmp_path: Path) -> Path:
    return write_lively(tmp_path / "checkpoint", DETECTOR, snapshot)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's levels are not ours to change."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def silent(done: int, total: int, what: str) -> None:
    """No progress."""


def test_what_ships_is_what_was_judged_and_timed(
    checkpoint: Path, snapshot: Path, tmp_path: Path
) -> None:
    wishes = Wishes(checkpoint, snapshot, tmp_path / "out", CPU)
    found = choose(wishes, Here(1, 0.05), silent)
    assert found.chosen
    kept = {a.form: a for a in found.attempts if a.kept}
    made = load_variants(tmp_path / "out" / "variants")
    assert {variant.name for variant in made.variants} == set(kept)
    assert made.variants[0].name == found.attempt(found.chosen).form, "the fastest comes first"
    for variant in made.variants:
        assert variant.files == kept[variant.name].files
        for name, ref in variant.files.items():
            content = (tmp_path / "out" / "variants" / variant.name / name).read_bytes()
            assert digest(content) == ref.sha256
    for attempt in kept.values():
        assert attempt.bench is not None
        assert attempt.files[attempt.main].sha256 == attempt.bench.file_sha256
    assert {one.name for one in found.certified} >= {a.name for a in kept.values()}
    settings = ProveSettings(rounds=1, bootstrap=20, latency_pictures=1, golden_cases=1)
    out = tmp_path / "evidence"
    book = prove(settings, tmp_path / "out" / "variants", snapshot, None, out, silent)
    assert {item.subject for item in book.items} == set(kept)


def test_a_budget_that_cannot_be_kept_prunes_and_says_what_came_nearest(
    checkpoint: Path, snapshot: Path, tmp_path: Path
) -> None:
    watch = ByPrecision({"f32": 4.0, "bf16": 3.0, "int8": 2.0})
    budget = Budget("latency_ms", 1.5)
    wishes = Wishes(checkpoint, snapshot, tmp_path / "out", CPU, budgets=(budget,))
    found = choose(wishes, watch, silent)
    assert found.chosen == ""
    assert "comes nearest with latency_ms 2 of 1.5" in found.why
    pruned = {a.network for a in found.attempts} - {"trained"}
    assert pruned, "pruning was tried"
    assert all(network.startswith("pruned-") for network in pruned)
    smaller = next(a for a in found.attempts if a.network in pruned)
    assert smaller.macs < found.attempt(found.reference).macs
    assert not (tmp_path / "out" / "variants").exists()
    assert "nothing to put ReLU in the place of" in found.skipped["relu"]
    again = choose(wishes, watch, silent)
    assert [a.files for a in again.attempts] == [a.files for a in found.attempts]


def test_no_method_but_quantization_leaves_the_network_as_it_is(
    checkpoint: Path, snapshot: Path, tmp_path: Path
) -> None:
    watch = ByPrecision({"f32": 4.0, "bf16": 3.0, "int8": 2.0})
    budget = Budget("latency_ms", 1.5)
    wishes = Wishes(checkpoint, snapshot, tmp_path / "out", CPU, budgets=(budget,), methods=())
    found = choose(wishes, watch, silent)
    assert {a.network for a in found.attempts} == {"trained"}
    assert found.checkpoint_sha256 == load_checkpoint(checkpoint).sha256


def test_another_snapshot_is_refused(checkpoint: Path, digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the checkpoint was trained on"):
        choose(Wishes(checkpoint, digits, tmp_path / "out"), Here(), silent)
