"""A changed network learns again from labels and from the network that it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from edgefactory.training import Distil, Recipe, load_checkpoint, train
from edgefactory.training.changes import Changes
from edgefactory.training.finetuning import Change, Finetuning, finetune, recipe_after
from edgefactory.training.networks import Network

pytestmark = pytest.mark.component

RECIPE = Recipe(
    task="classification", resolution=(16, 16), width=16, epochs=6, batch=4, ema=0.5, threads=1
)


class Killed(BaseException):
    """Stands for the signal that ends a process in the midst of a step."""


def forgotten(network: Network) -> Network:
    """The network with its last layer lost."""
    torch.manual_seed(0)
    last = network.get_submodule("body.1")
    assert isinstance(last, torch.nn.Linear)
    last.reset_parameters()
    return network


@pytest.fixture
def job(vouchers: Path, tmp_path: Path) -> Finetuning:
    before = train(RECIPE, vouchers, tmp_path / "before", tmp_path / "scratch").folder
    return Finetuning(before, vouchers, tmp_path / "after", tmp_path / "scratch", epochs=2)


def change_of(job: Finetuning) -> Change:
    return Change(forgotten, Changes(load_checkpoint(job.checkpoint).sha256))


def test_the_lineage_says_what_it_was(job: Finetuning) -> None:
    change = change_of(job)
    made = finetune(job, change)
    assert load_checkpoint(job.out).lineage.changes == change.said
    assert made.lineage.weights_sha256 == change.said.origin_sha256
    assert len(made.metrics.epochs) == 2


def test_the_teacher_is_followed(job: Finetuning) -> None:
    told = finetune(job, change_of(job))
    alone = finetune(replace(job, follow=0.0, out=job.out.with_name("alone")), change_of(job))
    assert told.sha256 != alone.sha256


def test_a_killed_run_ends_where_it_would_have_ended(job: Finetuning) -> None:
    whole = finetune(job, change_of(job))

    def progress(done: int, _total: int, text: str) -> None:
        if done == 5 and "epoch" in text:
            raise Killed

    again = replace(job, out=job.out.with_name("again"))
    with pytest.raises(Killed):
        finetune(again, change_of(job), progress)
    assert finetune(again, change_of(job)).sha256 == whole.sha256


def test_learning_again_is_shorter_and_has_no_other_teacher(tmp_path: Path) -> None:
    job = Finetuning(tmp_path, tmp_path, tmp_path, tmp_path)
    recipe = msgspec.structs.replace(
        RECIPE, weights="hub", distil=Distil(soft=0.7, teacher="onnx:gone.onnx", weighting=1.0)
    )
    after = recipe_after(recipe, job)
    assert (after.epochs, after.weights) == (2, "none")
    assert after.learning_rate < recipe.learning_rate
    assert after.distil == Distil(weighting=1.0)
