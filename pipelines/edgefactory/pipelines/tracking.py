"""Where experiments are tracked."""

import os
from pathlib import Path

from edge_runtime.contract import Release, file_digest, read
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.workspace import Workspace

NOWHERE = "none"
SQLITE = "sqlite:///"


def tracking_uri(workspace: Workspace) -> str:
    """`MLFLOW_TRACKING_URI` where it is set, else a SQLite file of the workspace's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.state / 'mlflow.db'}"


def registry_uri(given: str | None, begins: bool = False) -> str:
    """The store of registered releases: `given`, `MLFLOW_TRACKING_URI`, or that of the workspace
    here. Raises InputError for what is none, MissingError when there is none; a SQLite file that is
    not there is a new store for a command that `begins` one, else a slip of the pen."""
    own = Workspace(Path.cwd()).state / "mlflow.db"
    named = given or os.environ.get("MLFLOW_TRACKING_URI")
    if named is None and not own.is_file():
        raise MissingError(
            "no registry is named: say --store URI (as sqlite:///FILE, or a server's http://…), "
            "set MLFLOW_TRACKING_URI, or call this in a workspace"
        )
    uri = named or f"{SQLITE}{own}"
    if "://" not in uri:
        raise InputError(f"{uri!r} is no store; expected sqlite:///FILE, or a server's http://…")
    file = Path(uri.removeprefix(SQLITE))
    if uri.startswith(SQLITE) and not begins and not file.is_file():
        raise MissingError(f"{file} does not exist; `edgefactory registry add` begins a store")
    return uri


def named_version(text: str) -> tuple[str, str]:
    """MODEL@VERSION as model and version; of a release's folder, its model and digest.

    Raises InputError.
    """
    model, _, version = text.partition("@")
    if model and version:
        return model, version
    document = Path(text) / "release.json"
    if document.is_file():
        return read(document, Release).name, file_digest(document)
    raise InputError(f"{text!r} is neither MODEL@VERSION, as cctv-person@0.1.0, nor a release")


def tracking_beside(out: Path, given: str | None) -> str | None:
    """What is `given`, else `MLFLOW_TRACKING_URI`, else `mlflow.db` beside `out`.

    Runs whose results lie side by side are so compared in one place. NOWHERE gives None.
    """
    if given == NOWHERE:
        return None
    beside = f"sqlite:///{out.parent / 'mlflow.db'}"
    return given or os.environ.get("MLFLOW_TRACKING_URI") or beside
