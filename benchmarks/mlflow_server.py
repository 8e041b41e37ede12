"""An MLflow server of one's own on 127.0.0.1, for as long as a block lasts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

PATIENCE_S: Final = 400.0  # until it answers; the first start makes its tables
ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


@dataclass(frozen=True)
class Backing:
    """Where the server keeps things, and what its environment says beside; None: in its folder."""

    store: str | None = None
    artifacts: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def serve(folder: Path, backing: Backing = Backing()) -> Iterator[str]:
    """The server's address; its log and what it keeps are in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--artifacts-destination", backing.artifacts or str(folder / "artifacts"),
        "--serve-artifacts",
    ]  # fmt: skip
    # In the environment and not in the command, which everyone on the machine can read.
    store = {"MLFLOW_BACKEND_STORE_URI": backing.store or f"sqlite:///{folder / 'server.db'}"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **ENVIRONMENT, **store, **backing.environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}", folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        # Its workers are of its own process group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    tail = log.read_text(errors="replace")[-800:]
    raise RuntimeError(f"the MLflow server did not start: {tail}")
