"""The MLflow store: opened by its address, with its errors as ours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgefactory.datasets.errors import InputError, MissingError, StorageError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PAGE = 200  # versions that are asked for at once
ANSWER_S = 10.0  # that a server may take to answer at all


@contextmanager
def opened(uri: str) -> Iterator["MlflowClient"]:
    """A client of the store at `uri`: `sqlite:///…`, `http(s)://…`, or what MLflow takes else.

    Raises InputError for a store that MLflow cannot use, MissingError when no server answers,
    StorageError when it cannot be written.
    """
    _require_answer(uri)
    # Read when MLflow is imported: nothing about this line leaves the machine.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        text = str(error).splitlines()[0]
        raise InputError(f"MLflow at {shown(uri)} refused: {text}") from error
    except OSError as error:
        raise StorageError(f"MLflow at {shown(uri)}: {error}") from error


def ensure_model(client: "MlflowClient", name: str) -> None:
    """Make the registered model `name` unless it is there; several may ask at once."""
    from mlflow.exceptions import MlflowException

    if client.search_registered_models(f"name = '{name}'"):
        return
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def all_versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    """Every version of the registered model `name`, the oldest first; none where there is none."""
    found: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(
            f"name = '{name}'", PAGE, order_by=["version_number ASC"], page_token=token
        )
        found += page
        token = page.token
        if not token:
            return found


def _require_answer(uri: str) -> None:
    """MLflow's own client would try for minutes before it says that nobody is there."""
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    import httpx

    try:
        httpx.head(uri, timeout=ANSWER_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MissingError(
            f"no MLflow server answers at {shown(uri)} ({type(error).__name__}); start it, or name "
            "another store"
        ) from error


def shown(uri: str) -> str:
    """The store's address without a password that may stand in it."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
