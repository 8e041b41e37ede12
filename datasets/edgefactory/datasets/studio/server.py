"""A local Label Studio: installed in an environment of its own, on 127.0.0.1 only.

The server's own habits are held back: it would listen on all addresses, take the next port when
one is busy, send statistics, and let strangers sign up. Its 400 migrations take a minute of
processor time, so an empty migrated database is made once and copied.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from edgefactory.datasets.documents import Progress
from edgefactory.datasets.environments import locked, pinned_environment
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import storage_errors
from edgefactory.datasets.studio.account import Account, keep_account
from edgefactory.datasets.studio.client import Studio

LOG = logging.getLogger(__name__)
HOST: Final = "127.0.0.1"
_DATABASE: Final = "label_studio.sqlite3"
_PINS: Final = "label-studio.txt"
_START_SECONDS: Final = 300
_STOP_SECONDS: Final = 10
_TICK: Final = 0.2  # seconds between two looks at a starting server
_LOG_TAIL: Final = 4096  # bytes of the log that are looked through for a reason
_HABITS: Final[Mapping[str, str]] = {
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_DEBUG": "false",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
}


@dataclass(frozen=True)
class Server:
    """A server at work; it ends with its `with` block."""

    account: Account
    process: subprocess.Popen[bytes]

    def wait(self) -> NoReturn:
        """Wait; a server that ends by itself is a `MissingError`."""
        code = self.process.wait()
        raise MissingError(f"Label Studio at {self.account.url} ended by itself with code {code}")


@contextmanager
def serve(data: Path, port: int, progress: Progress) -> Iterator[Server]:
    """Serve the data folder `data` on 127.0.0.1 while the block runs; port 0 takes a free one.

    Installs Label Studio at the first time. Raises `InputError` when the port is busy or the
    folder is served already, `MissingError` when it cannot be installed or does not start.
    """
    data = data.absolute()
    busy = f"{data} is served already; stop that server, or name another folder with --data"
    with locked(data / ".lock", busy) as lock:
        account = keep_account(data, f"http://{HOST}:{_free_port(port)}")
        environment = installed(progress)
        if not (data / _DATABASE).is_file():
            _copy(environment / _DATABASE, data / _DATABASE)
        progress(0, 0, "starting Label Studio")
        process = _start(environment, data, account, lock)
        try:
            _await(process, account, data / "server.log")
            yield Server(account, process)
        finally:
            _stop(process)


def installed(progress: Progress) -> Path:
    """The environment of Label Studio with an empty database in it, made at need."""
    environment = pinned_environment("label-studio", _pins(), progress)
    with locked(environment / ".database.lock"):
        if not (environment / _DATABASE).is_file():
            progress(1, 2, "preparing the database, about a minute, once")
            _migrate(environment)
    return environment


def _pins() -> Path:
    """The pinned packages: in the installed package, or in the checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parent, here.parents[4] / "requirements"):
        if (folder / _PINS).is_file():
            return folder / _PINS
    raise MissingError(f"{_PINS} is not installed; install edgefactory again")


def _migrate(environment: Path) -> None:
    with tempfile.TemporaryDirectory(dir=environment) as folder:
        done = subprocess.run(
            [str(environment / "bin" / "label-studio"), "init", "--quiet"],
            env=_surroundings(Path(folder)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_START_SECONDS * 4,
            check=False,
        )
        if done.returncode:
            reason = _last_line(done.stderr or done.stdout)
            raise MissingError(f"Label Studio cannot prepare its database: {reason}")
        _copy(Path(folder) / _DATABASE, environment / _DATABASE)


def _start(environment: Path, data: Path, account: Account, lock: int) -> subprocess.Popen[bytes]:
    """The server's process, in a group of its own; it holds the lock as long as it lives."""
    secrets = {
        # In the environment, which other users cannot read; they can read arguments.
        "LABEL_STUDIO_USERNAME": account.user,
        "LABEL_STUDIO_PASSWORD": account.password,
        "LABEL_STUDIO_USER_TOKEN": account.token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(Path(account.pictures).parent),
    }
    port = account.url.rpartition(":")[2]
    with storage_errors(data), (data / "server.log").open("wb") as log:
        return subprocess.Popen(
            [
                *(str(environment / "bin" / "label-studio"), "start", "--no-browser"),
                *("--internal-host", HOST, "--port", port),
            ],
            env=_surroundings(data) | secrets,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=data,
            start_new_session=True,
            pass_fds=[lock],
        )


def _surroundings(data: Path) -> dict[str, str]:
    """The environment variables of the server's process."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return ours | {**_HABITS, "LABEL_STUDIO_BASE_DATA_DIR": str(data)}


def _await(process: subprocess.Popen[bytes], account: Account, log: Path) -> None:
    """Return when this very server answers on its port: only it knows the token."""
    deadline = time.monotonic() + _START_SECONDS
    with Studio(account.url, account.token) as studio:
        while time.monotonic() < deadline:
            try:
                process.wait(_TICK)
            except subprocess.TimeoutExpired:
                pass
            else:
                raise MissingError(f"Label Studio does not start: {_last_line(_tail(log))}")
            try:
                studio.who()
            except MissingError:
                continue  # it does not listen yet
            return
    raise MissingError(f"Label Studio does not answer after {_START_SECONDS} s; see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server with all of its processes."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            LOG.warning("Label Studio does not end within %s s and is killed", _STOP_SECONDS)


def _free_port(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot serve on {HOST}:{port}: {reason}; choose --port") from error
        return int(probe.getsockname()[1])


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.partial")
    with storage_errors(target):
        shutil.copyfile(source, draft)
        draft.chmod(0o600)
        draft.replace(target)


def _tail(log: Path) -> bytes:
    with storage_errors(log), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL))
        return file.read(_LOG_TAIL)


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "no message")
