"""The folder that one line works in: where things lie, and whether it is ours to use."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from edgefactory.datasets.errors import InputError, MissingError, StorageError

MARK = "workspace.json"


@dataclass(frozen=True)
class Workspace:
    """Paths under one workspace folder; see the README of `pipelines/` for the picture."""

    root: Path

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def state(self) -> Path:
        """What the line remembers about itself; never an output."""
        return self.root / ".edgefactory"

    @property
    def clip(self) -> Path:
        return self.root / "input" / "clip"

    @property
    def teacher(self) -> Path:
        return self.root / "input" / "teacher"

    @property
    def truth(self) -> Path:
        return self.root / "input" / "truth"

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def log(self, stage: str) -> Path:
        """Where the libraries' own output of `stage` goes."""
        return self.state / "log" / f"{stage}.log"

    def scratch(self, stage: str) -> Path:
        """A folder in which `stage` may keep work in progress; made if need be."""
        folder = self.state / "scratch" / stage
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def require(self, name: str, stage: str) -> Path:
        """The path of `name`, an output of the earlier `stage`.

        Raises MissingError when it is not there.
        """
        path = self.root / name
        if not path.exists():
            raise MissingError(f"{path} is not there; run `{stage}` first")
        return path


def open_workspace(root: Path) -> Workspace:
    """The workspace at `root`, which must hold a params.yaml and be writable.

    Raises InputError, MissingError or StorageError with one clear line.
    """
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is not a folder; --workspace wants the folder of a line")
    if not (root / "params.yaml").is_file():
        raise MissingError(
            f"{root} holds no params.yaml; `edgefactory demo --workspace {root}` lays one out"
        )
    _require_writable(root)
    return Workspace(root.resolve())


def claim_workspace(root: Path, line: str) -> Workspace:
    """Make `root` a workspace of `line`, or take up the one that is there.

    Raises InputError when the folder holds something else or another line,
    StorageError when it cannot be written.
    """
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; --workspace wants a folder")
    mark = root / ".edgefactory" / MARK
    if mark.is_file():
        found = read_mark(mark)
        if found != line:
            raise InputError(
                f"{root} is a workspace of the line {found!r}, not {line!r}; take another folder"
            )
    elif root.exists():
        _require_ours(root)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(mark, json.dumps({"schema": "workspace/1", "line": line}) + "\n")
    except NotADirectoryError as error:
        raise InputError(f"{root} lies under a file; --workspace wants a folder") from error
    except (PermissionError, OSError) as error:
        raise StorageError(f"{root} cannot be written: {error.strerror}") from error
    _require_writable(root)
    return Workspace(root.resolve())


def read_mark(mark: Path) -> str:
    """The line that a workspace belongs to. Raises InputError when the mark is not readable."""
    try:
        content = json.loads(mark.read_text(encoding="utf-8")[:4096])
        return str(content["line"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{mark} is damaged ({error}); remove it and run again") from error
    except OSError as error:
        raise StorageError(f"{mark} cannot be read: {error.strerror}") from error


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _require_ours(root: Path) -> None:
    try:
        entries = sorted(entry.name for entry in root.iterdir())
    except OSError as error:
        raise StorageError(f"{root} cannot be read: {error.strerror}") from error
    if entries:
        raise InputError(
            f"{root} holds something else ({', '.join(entries[:3])}); "
            "--workspace wants an empty folder, a new one, or a workspace of ours"
        )


def _require_writable(root: Path) -> None:
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise StorageError(f"{root} is not readable and writable; check its owner and mode")
