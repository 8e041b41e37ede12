"""The release stands in MLflow beside the run that made it, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import register

from .conftest import Line, make_line

pytestmark = [
    pytest.mark.component,
    # MLflow's own warnings are not ours to fix.
    pytest.mark.filterwarnings("ignore"),
]


def test_a_release_is_registered_once(line: Line, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    digest = line.build()
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first = register(line.release, store)
    assert register(line.release, store, verdict=line.verdict) == first
    line.build("0.2.0", 2)
    client = MlflowClient(store, store)
    experiment = client.get_experiment_by_name("edgefactory")
    assert experiment is not None
    run = client.create_run(experiment.experiment_id)
    assert register(line.release, store, run.info.run_id, line.verdict) == first + 1

    old, new = sorted(
        client.search_model_versions("name = 'cctv-person'"), key=lambda v: int(v.version)
    )
    assert old.tags["edgefactory.digest"] == digest
    assert old.tags["edgefactory.verdict"] == "passed"
    assert new.tags["edgefactory.sequence"] == "2"
    assert new.run_id == run.info.run_id
    kept = Path(client.download_artifacts(run.info.run_id, "release", str(tmp_path)))
    assert (kept / "release.json").read_bytes() == (line.release / "release.json").read_bytes()
    assert not Path("mlruns").exists()


def test_a_verdict_about_other_bytes_is_refused(line: Line, tmp_path: Path) -> None:
    line.build()
    other = make_line(tmp_path / "other", weights=b"other")
    other.build()
    with pytest.raises(TrustError, match="another release"):
        register(line.release, f"sqlite:///{tmp_path / 'mlflow.db'}", verdict=other.verdict)


def test_a_server_that_is_not_there(line: Line) -> None:
    line.build()
    with pytest.raises(MissingError, match="no MLflow server answers at http://127"):
        register(line.release, "http://user:secret@127.0.0.1:1/")


def test_a_store_that_mlflow_cannot_use(line: Line, tmp_path: Path) -> None:
    line.build()
    with pytest.raises(InputError, match="refused"):
        register(line.release, "nonsense://user:secret@host/x")
