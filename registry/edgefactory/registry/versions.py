"""The release as a model version in MLflow, so that it stands beside the run that made it."""

from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.contract import Release, digest
from edgefactory.datasets.errors import InputError, TrustError
from edgefactory.registry.files import parse, read_bounded
from edgefactory.registry.gate import MAX_RELEASE_BYTES, RELEASE_FILE, read_verdict
from edgefactory.registry.store import all_versions, ensure_model, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "edgefactory"
LEDGER_SUFFIX = ".promotions"
BUNDLE = "release"
DIGEST_TAG = "edgefactory.digest"
SEQUENCE_TAG = "edgefactory.sequence"
VERSION_TAG = "edgefactory.version"
VERDICT_TAG = "edgefactory.verdict"


def register(
    release: Path, tracking_uri: str, run_id: str | None = None, verdict: Path | None = None
) -> int:
    """Register the release folder as a model version of its name; returns the version's number.

    `run_id` is the run that trained the model; without one, or when the store does not know it,
    a run of its own holds the files. The same bytes are registered once; their verdict tag
    follows `verdict` ("passed", "failed", or "none" without one). Raises InputError for a store
    that MLflow cannot use, TrustError when the verdict is about other bytes.
    """
    data = read_bounded(release / RELEASE_FILE, MAX_RELEASE_BYTES)
    document = parse(data, Release, str(release / RELEASE_FILE))
    tags = {
        DIGEST_TAG: digest(data),
        SEQUENCE_TAG: str(document.sequence),
        VERSION_TAG: document.version,
        VERDICT_TAG: _verdict(verdict, digest(data)),
    }
    if document.name.endswith(LEDGER_SUFFIX):
        raise InputError(f"{document.name!r} is the name of a ledger; call the model another name")
    with opened(tracking_uri) as client:
        return _register(client, document.name, release, run_id, tags)


def _register(
    client: "MlflowClient", name: str, release: Path, run_id: str | None, tags: dict[str, str]
) -> int:
    ensure_model(client, name)
    for version in all_versions(client, name):
        if version.tags.get(DIGEST_TAG) == tags[DIGEST_TAG]:
            client.set_model_version_tag(name, str(version.version), VERDICT_TAG, tags[VERDICT_TAG])
            return int(version.version)
    run = run_id if run_id and _knows(client, run_id) else _new_run(client, name, tags)
    client.log_artifacts(run, str(release), BUNDLE)
    made = client.create_model_version(
        name, source=f"runs:/{run}/{BUNDLE}", run_id=run, tags=tags, await_creation_for=0
    )
    return int(made.version)


def _knows(client: "MlflowClient", run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.get_run(run_id)
    except MlflowException:
        return False
    return True


def _new_run(client: "MlflowClient", name: str, tags: dict[str, str]) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        location = _artifacts(client.tracking_uri)
        experiment_id = client.create_experiment(EXPERIMENT, artifact_location=location)
    else:
        experiment_id = experiment.experiment_id
    run = client.create_run(experiment_id, tags=tags, run_name=f"release {name}")
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _artifacts(tracking_uri: str) -> str | None:
    """Beside an embedded store, not in whatever folder the command was called from."""
    prefix = "sqlite:///"
    if not tracking_uri.startswith(prefix):
        return None
    return Path(tracking_uri.removeprefix(prefix)).resolve().with_suffix(".artifacts").as_uri()


def _verdict(path: Path | None, release_sha256: str) -> str:
    if path is None:
        return "none"
    verdict = read_verdict(path)
    if verdict.release != release_sha256:
        raise TrustError(f"{path} is about another release; run the gate on this one")
    return "passed" if verdict.passed else "failed"
