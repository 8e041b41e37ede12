"""Files and programs out of Debian's archive, without root: with package lists of our own."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.files import storage_errors

UPDATE_SECONDS = 120
DOWNLOAD_SECONDS = 300


def download(packages: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """The archives of `packages`, put into `folder`. Raises MissingError when they cannot be had.

    apt checks them against the signed lists of the system's own sources.
    """
    apt = _updated(folder)
    run([*apt, "download", *packages], DOWNLOAD_SECONDS, folder)
    found = [next(folder.glob(f"{package}_*.deb"), None) for package in packages]
    missing = [name for name, path in zip(packages, found, strict=True) if path is None]
    if missing:
        raise MissingError(f"apt-get downloaded no {missing[0]}")
    return tuple(path for path in found if path is not None)


def unpack(packages: Sequence[str], folder: Path) -> None:
    """Make `folder` the root of what installing `packages` would bring; it appears whole or not.

    What they depend on comes with them, where it is not installed; so nothing comes of what is.
    Raises MissingError when they cannot be had.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        storage_errors(folder.parent),
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=".debian-") as work,
    ):
        root, archives = Path(work) / "root", Path(work) / "cache" / "archives"
        (archives / "partial").mkdir(parents=True)
        root.mkdir()
        # Without a lock of dpkg's, as nothing is installed: that needs no root.
        apt = [*_updated(Path(work)), "-y", "-o", "Debug::NoLocking=1", "--no-install-recommends"]
        run([*apt, "--download-only", "install", *packages], DOWNLOAD_SECONDS, Path(work))
        for archive in sorted(archives.glob("*.deb")):
            run(["dpkg-deb", "-x", str(archive), str(root)], DOWNLOAD_SECONDS, Path(work))
        root.rename(folder)


def _updated(folder: Path) -> list[str]:
    """The beginning of a command of apt's, with package lists of its own that are fresh."""
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State::Lists={folder / 'lists'}"]
    apt += ["-o", f"Dir::Cache={folder / 'cache'}", "-o", "Acquire::Retries=1"]
    run([*apt, "update"], UPDATE_SECONDS, folder)
    return apt


def run(command: Sequence[str], seconds: int, folder: Path) -> None:
    """Run a package manager; its failure is `MissingError` with its last line."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise MissingError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{command[0]} did not end within {seconds} s") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise MissingError(f"{Path(command[0]).name} failed: {lines[-1][:200]}")
