"""Files in class folders: `CLASS/file`, or `SPLIT/CLASS/file`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from edgefactory.datasets.documents import Split
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.formats.names import SPLITS, relative_name


class Filed(NamedTuple):
    """A file of a class, and its name below the class's folder."""

    path: Path
    split: Split
    class_: str
    name: str


def filed(root: Path, listing: Callable[[Path], Iterable[Path]], expected: str) -> list[Filed]:
    """The files that `listing(root)` gives, by split and class.

    The first folders are splits if all of them are called as splits are. Raises `MissingError`
    when `root` is no folder, `InputError` for a file in no class folder; both say what was
    `expected`.
    """
    if not root.is_dir():
        raise MissingError(f"{root} is no folder of class folders; {expected}")
    depth = 2 if _split_first(root) else 1
    found = []
    for path in listing(root):
        parts = relative_name(path, root).split("/")
        if len(parts) <= depth:
            raise InputError(f"{path} lies in no class folder; {expected}")
        split: Split = SPLITS[parts[0]] if depth == 2 else "train"
        found.append(Filed(path, split, parts[depth - 1], "/".join(parts[depth:])))
    return found


def class_folders(root: Path) -> Iterator[tuple[Path, Split, str]]:
    """Each class folder, its split, and its class, as `filed` understands them."""
    if not _split_first(root):
        for folder in _folders(root):
            yield folder, "train", relative_name(folder, root)
        return
    for above in _folders(root):
        for folder in _folders(above):
            yield folder, SPLITS[above.name], relative_name(folder, above)


def _split_first(root: Path) -> bool:
    tops = [folder.name for folder in _folders(root)]
    return bool(tops) and set(tops) <= set(SPLITS)


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
