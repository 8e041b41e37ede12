"""Pruning leaves a checkpoint like any other, with fewer multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edgefactory.compress.finetuning import Finetuning, prune
from edgefactory.compress.finetuning.pruning import macs
from edgefactory.datasets.errors import InputError
from edgefactory.training import Recipe, export_onnx, load_checkpoint

MakeJob = Callable[..., Finetuning]

pytestmark = pytest.mark.component

DETECTOR = Recipe(resolution=(48, 32), width=32, detections=8, batch=4, threads=1, precision="32")
CLASSIFIER = Recipe(
    task="classification", resolution=(32, 32), batch=4, threads=1, precision="32"
)  # fmt: skip


@pytest.mark.parametrize(
    "recipe",
    [
        DETECTOR,
        CLASSIFIER,
        msgspec.structs.replace(CLASSIFIER, model="torchvision/mobilenet_v3_small"),
    ],
)
def test_what_is_left_is_a_checkpoint_like_any_other(
    recipe: Recipe, job: MakeJob, tmp_path: Path
) -> None:
    work = job(recipe)
    made = prune(work, 0.6)
    before = load_checkpoint(work.checkpoint)
    changes = made.lineage.changes
    assert changes is not None
    assert changes.origin_sha256 == before.sha256
    assert changes.macs_share <= 0.6
    size = recipe.resolution
    left = macs(made.network(), size) / macs(before.network(), size)
    assert left == pytest.approx(changes.macs_share)
    assert export_onnx(made.folder, tmp_path / "after.onnx").macs < (
        0.7 * export_onnx(before.folder, tmp_path / "before.onnx").macs
    )


def test_pruning_again_begins_with_what_is_left(job: MakeJob, tmp_path: Path) -> None:
    first = job(CLASSIFIER)
    half = prune(first, 0.6)
    again = prune(
        Finetuning(half.folder, first.snapshot, tmp_path / "again", first.scratch, epochs=1), 0.8
    )
    assert half.lineage.changes is not None
    assert again.lineage.changes is not None
    assert again.lineage.changes.macs_share < half.lineage.changes.macs_share
    assert again.lineage.changes.origin_sha256 == half.sha256


def test_what_cannot_be_is_one_clear_line(job: MakeJob) -> None:
    work = job(CLASSIFIER)
    with pytest.raises(InputError, match="expected one between 0 and 1"):
        prune(work, 1.0)
    with pytest.raises(InputError, match=r"at the least, 0\.001 were asked for"):
        prune(work, 0.001)


def test_a_network_that_cannot_be_followed_is_refused(job: MakeJob) -> None:
    shuffled = msgspec.structs.replace(CLASSIFIER, model="torchvision/shufflenet_v2_x0_5")
    with pytest.raises(InputError, match="shufflenet_v2_x0_5 cannot be pruned"):
        prune(job(shuffled), 0.6)


def test_another_snapshot_is_refused(job: MakeJob, snapshot: Path) -> None:
    work = job(CLASSIFIER)
    with pytest.raises(InputError, match="the checkpoint was trained on"):
        prune(Finetuning(work.checkpoint, snapshot, work.out, work.scratch), 0.6)
