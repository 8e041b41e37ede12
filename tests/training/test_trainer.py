"""Training learns, repeats, continues where it was killed, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from mlflow.tracking import MlflowClient

from edge_runtime.contract import file_digest
from edgefactory.datasets.errors import InputError
from edgefactory.training import Augment, Checkpoint, Recipe, load_checkpoint, train

pytestmark = pytest.mark.component

TINY = Recipe(
    resolution=(64, 48),
    width=16,
    depth=1,
    detections=8,
    epochs=4,
    batch=4,
    precision="32",
    augment=Augment(flip=0.5, scale=0.1, shift=0.05, brightness=0.1),
)
STILL = Augment(scale=0.0, shift=0.0, brightness=0.0, offset=0.0)


class Killed(BaseException):
    """Stands for the signal that ends a process in the midst of a step."""


def killer(at: int) -> object:
    def progress(done: int, total: int, text: str) -> None:
        assert 0 < done <= total
        if done == at and "epoch" in text:
            raise Killed

    return progress


def run(recipe: Recipe, snapshot: Path, folder: Path) -> Checkpoint:
    return train(recipe, snapshot, folder / "checkpoint", folder / "scratch")


def test_a_checkpoint_says_what_it_is_and_comes_back(snapshot: Path, tmp_path: Path) -> None:
    made = run(TINY, snapshot, tmp_path)
    assert load_checkpoint(made.folder) == made
    assert made.recipe == TINY
    assert made.classes == ("person",)
    assert (made.input.width, made.input.height) == TINY.resolution
    assert made.output.names == ("boxes", "scores", "labels")
    assert [point.epoch for point in made.metrics.epochs] == [1, 2, 3, 4]
    assert made.lineage.snapshot_sha256 == file_digest(snapshot / "manifest.jsonl")
    assert made.lineage.teacher_sha256 == "0" * 64
    assert made.sha256 == file_digest(made.folder / "model.safetensors")
    assert not any((tmp_path / "scratch").iterdir())


def test_detection_is_learned(snapshot: Path, tmp_path: Path) -> None:
    longer = msgspec.structs.replace(TINY, epochs=40, ema=0.9, augment=STILL)
    made = run(longer, snapshot, tmp_path)
    assert made.metrics.final is not None
    assert made.metrics.final > 0.8
    assert made.metrics.epochs[-1].loss < made.metrics.epochs[0].loss / 2


def test_classification_is_learned(vouchers: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        task="classification",
        resolution=(16, 16),
        width=16,
        epochs=10,
        batch=4,
        ema=0.8,
        augment=STILL,
    )
    made = run(recipe, vouchers, tmp_path)
    assert made.metrics.metric == "accuracy"
    assert made.metrics.final == 1.0


def test_the_seed_decides(snapshot: Path, tmp_path: Path) -> None:
    first = run(TINY, snapshot, tmp_path / "a")
    second = run(TINY, snapshot, tmp_path / "b")
    other = run(msgspec.structs.replace(TINY, seed=1), snapshot, tmp_path / "c")
    assert first.sha256 == second.sha256
    assert first.sha256 != other.sha256


@pytest.mark.parametrize("step", [2, 7, 12])
def test_a_killed_run_ends_where_it_would_have_ended(
    snapshot: Path, tmp_path: Path, step: int
) -> None:
    whole = run(TINY, snapshot, tmp_path / "whole")
    out, scratch = tmp_path / "checkpoint", tmp_path / "scratch"
    with pytest.raises(Killed):
        train(TINY, snapshot, out, scratch, killer(step))  # type: ignore[arg-type] # it only raises
    assert not out.exists()
    continued = train(TINY, snapshot, out, scratch)
    assert continued.sha256 == whole.sha256
    assert len(continued.metrics.epochs) == TINY.epochs


def test_a_long_epoch_is_kept_on_the_way(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed in the midst of an epoch goes on from there, to the same weights."""
    whole = run(TINY, snapshot, tmp_path / "whole")
    monkeypatch.setattr("edgefactory.training.trainer._KEEP_SECONDS", 0.0)
    out, scratch, steps = tmp_path / "checkpoint", tmp_path / "scratch", []
    with pytest.raises(Killed):
        train(TINY, snapshot, out, scratch, killer(5))  # type: ignore[arg-type] # it only raises

    def count(done: int, _total: int, text: str) -> None:
        if "epoch" in text:
            steps.append(done)

    assert train(TINY, snapshot, out, scratch, count).sha256 == whole.sha256
    assert steps[0] == 6


def test_a_damaged_state_is_started_anew(snapshot: Path, tmp_path: Path) -> None:
    whole = run(TINY, snapshot, tmp_path / "whole")
    out, scratch = tmp_path / "checkpoint", tmp_path / "scratch"
    with pytest.raises(Killed):
        train(TINY, snapshot, out, scratch, killer(10))  # type: ignore[arg-type] # it only raises
    (state,) = scratch.rglob("state.pt")
    state.write_bytes(state.read_bytes()[:1000])
    assert train(TINY, snapshot, out, scratch).sha256 == whole.sha256


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")  # MLflow's own
def test_runs_are_recorded_in_mlflow_and_continued_in_the_same_run(
    snapshot: Path, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    out, scratch = tmp_path / "checkpoint", tmp_path / "scratch"
    with pytest.raises(Killed):
        train(TINY, snapshot, out, scratch, killer(7), uri)  # type: ignore[arg-type] # it only raises
    made = train(TINY, snapshot, out, scratch, None, uri)
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "edgefactory-toy"]
    (recorded,) = client.search_runs([experiment.experiment_id])
    assert recorded.info.run_id == made.lineage.mlflow_run
    assert recorded.info.status == "FINISHED"
    assert recorded.data.params["snapshot_sha256"] == made.lineage.snapshot_sha256
    assert recorded.data.params["epochs"] == "4"
    history = client.get_metric_history(recorded.info.run_id, "loss")
    assert [point.step for point in history] == [0, 1, 2, 3]
    assert (tmp_path / "mlartifacts").is_dir()


def test_a_snapshot_of_another_task_is_refused(vouchers: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="snapshot for classification, the recipe's task is"):
        run(TINY, vouchers, tmp_path)


def test_a_loss_that_is_no_number_names_the_learning_rate(snapshot: Path, tmp_path: Path) -> None:
    wild = msgspec.structs.replace(TINY, learning_rate=1e30)
    with pytest.raises(InputError, match=r"lower learning_rate \(now 1e\+30\)"):
        run(wild, snapshot, tmp_path)


@pytest.mark.parametrize("judged", [True, False], ids=["by val", "by nothing"])
def test_a_last_step_that_spoils_the_network_leaves_no_checkpoint(
    vouchers: Path, tmp_path: Path, *, judged: bool
) -> None:
    """No loss is looked at after it."""
    if not judged:
        manifest = vouchers / "manifest.jsonl"
        manifest.write_text(manifest.read_text().replace('"split":"val"', '"split":"train"'))
    recipe = msgspec.structs.replace(
        TINY, task="classification", resolution=(16, 16), detections=64, augment=STILL
    )
    wild = msgspec.structs.replace(recipe, learning_rate=1e30, epochs=1, batch=64)
    with pytest.raises(InputError, match="answers are no numbers; lower learning_rate"):
        run(wild, vouchers, tmp_path)
    assert not (tmp_path / "checkpoint").exists()


def test_another_folder_is_not_replaced(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="is not replaced"):
        run(TINY, snapshot, tmp_path)


def test_curves_are_plain_json(snapshot: Path, tmp_path: Path) -> None:
    made = run(TINY, snapshot, tmp_path)
    curves = json.loads((made.folder / "metrics.json").read_text())
    assert curves["schema"] == "metrics/1"
    assert set(curves["epochs"][0]) == {"epoch", "loss", "learning_rate", "seconds", "val", "data"}
