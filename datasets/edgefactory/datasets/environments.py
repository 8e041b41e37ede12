"""Python environments of their own, for tools whose packages fight those of the factory.

An environment lies in the cache under a name that holds the digest of its pins, so other pins
make another environment, and one that is complete is never touched again.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgefactory.datasets.documents import Progress
from edgefactory.datasets.errors import InputError, MissingError, StorageError
from edgefactory.datasets.fetching import default_cache
from edgefactory.datasets.files import read_bytes, storage_errors, write_file

LOG = logging.getLogger(__name__)
INSTALL_SECONDS: Final = 1800
_STAMP: Final = "complete"
_MAX_PINS_BYTES: Final = 4 * 2**20


def pinned_environment(name: str, pins: Path, progress: Progress) -> Path:
    """The folder of the environment `name` with exactly the packages of `pins`, made at need.

    `pins` is a requirements file with hashes. Two processes that want it at once build it once.
    Raises `MissingError` when a package or `venv` cannot be had, `StorageError` for a full disk.
    """
    content = read_bytes(pins, _MAX_PINS_BYTES, "pins")
    digest = hashlib.sha256(content + sys.version.encode()).hexdigest()
    folder = default_cache() / "environments" / f"{name}-{digest[:16]}"
    with locked(folder.with_name(f".{folder.name}.lock")):
        if not (folder / _STAMP).is_file():
            progress(0, 2, f"making the environment of {name}")
            make_venv(folder)
            progress(1, 2, f"installing {name}, some minutes, once")
            wanted = ["--require-hashes", "--no-deps", "--requirement", str(pins)]
            pip_install(python_of(folder), wanted, f"{name} could not be installed")
            write_file(folder / _STAMP, b"1\n")
    return folder


def python_of(environment: Path) -> Path:
    """The Python of an environment."""
    return environment / "bin" / "python"


@contextmanager
def locked(path: Path, busy: str | None = None) -> Iterator[int]:
    """Hold the lock file `path`; yields its descriptor.

    Waits for whoever has it, or, where `busy` is given, raises `InputError` with that line. The
    system lets go of it with the last process that has the descriptor, however that ends.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as error:
            raise InputError(busy) from error
        yield descriptor
    finally:
        os.close(descriptor)


def make_venv(folder: Path) -> None:
    """An empty environment without pip at `folder`; an earlier one there is replaced.

    Raises `InputError` when the folder holds something else.
    """
    ours = not folder.exists() or (folder / "pyvenv.cfg").is_file()
    if not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} holds something else; name a new folder for the environment")
    run_installer(
        [sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)],
        "the environment could not be made (Debian: install python3-venv)",
    )


def pip_install(python: Path, what: Sequence[str], trouble: str) -> None:
    """Run our own pip's `install` for the environment of `python`; `trouble` opens the error."""
    run_installer([*pip_command(), "--python", str(python), "install", *what], trouble)


def pip_command() -> list[str]:
    """How our own pip is called, quietly."""
    return [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def run_installer(command: Sequence[str], trouble: str) -> None:
    """Run an installer to its end.

    Raises `StorageError` for a full disk, else `MissingError` with `trouble` and the last line
    that it gave as its error.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{trouble}: no end within {INSTALL_SECONDS} s") from error
    LOG.debug("%s\n%s%s", " ".join(command), done.stdout, done.stderr)
    if done.returncode:
        if "No space left on device" in done.stderr:
            raise StorageError(f"{trouble}: no space left on device; free some and rerun")
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line.upper()]
        last = (lines or done.stderr.splitlines() or ["no message"])[-1]
        raise MissingError(f"{trouble}: {last.strip()[:300]}")
