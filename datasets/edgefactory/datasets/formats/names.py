"""Files of foreign folders and the names of their pictures: found safely, placed back safely."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import Final

from edgefactory.datasets.documents import Split
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import read_bytes, write_file

CLASSES: Final = "classes.txt"
MAX_NAME: Final = 1000  # characters, as the manifest has it
_MAX_SOURCE: Final = 200
_MAX_TEXT: Final = 64 * 2**20
_MAX_PART: Final = 240  # bytes; file systems take 255, and an ending may be added
_ENDINGS: Final = {
    "jpg": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "png": frozenset({".png"}),
}
_PICTURES: Final = frozenset().union(*_ENDINGS.values(), {".bmp", ".gif", ".tif", ".tiff", ".webp"})
SPLITS: Final[dict[str, Split]] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""What folders and files of splits are called."""


def files_under(root: Path) -> Iterator[Path]:
    """All files below `root` in a fixed order; what begins with a dot is passed over.

    Raises `InputError` for a link that leads out of `root`, and for a linked folder, which may
    lead round in circles.
    """
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(folder) / name).is_symlink():
                raise InputError(f"{Path(folder) / name} is a link to a folder; put a real one")
        for name in sorted(files):
            if not name.startswith("."):
                yield inside(root, Path(folder) / name)


def pictures_under(root: Path) -> Iterator[Path]:
    """The files below `root` whose names end as pictures' do. Errors as `files_under`."""
    return (path for path in files_under(root) if path.suffix.lower() in _PICTURES)


def inside(root: Path, path: Path) -> Path:
    """`path`, if it is in `root` and no link leads it out. Raises `InputError` otherwise."""
    try:
        real = path.resolve()
        if not real.is_relative_to(root.resolve()):
            raise InputError(f"{path} leads out of {root}; put the file itself there")
        if real.exists() and not (real.is_file() or real.is_dir()):
            raise InputError(f"{path} is neither a file nor a folder")
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, a loop
        raise InputError(f"{path} is no path that can be followed: {error}") from error
    return path


def relative_name(path: Path, base: Path) -> str:
    """The name of a picture: its path below `base`, bytes that are no UTF-8 written as %XX."""
    raw = path.relative_to(base).as_posix()
    name = printable(raw)
    if len(name) > MAX_NAME:
        raise InputError(f"{path}: the name has more than {MAX_NAME} characters")
    return name


def printable(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 are written as %XX."""
    return re.sub("[\udc80-\udcff]", lambda found: f"%{ord(found[0]) - 0xDC00:02X}", name)


def data_set_name(name: str) -> str:
    """The name of a data set or source, as long as the manifest has place for."""
    return printable(name)[-_MAX_SOURCE:]


def short_names(files: Sequence[tuple[str, str]]) -> list[str]:
    """Names of pictures from (shelf, rest), `shelf` being the folder that only sorts them.

    The shelf is left away, unless two pictures on different shelves are called the same.
    """
    rests = [rest for _, rest in files]
    if len(set(rests)) == len(rests):
        return rests
    return [f"{shelf}/{rest}" if shelf else rest for shelf, rest in files]


def kept_name(name: str, kind: str) -> str:
    """The name of a picture that is kept as `kind`: the true ending is added where it is not."""
    return name if PurePosixPath(name).suffix.lower() in _ENDINGS[kind] else f"{name}.{kind}"


def lines_of(path: Path) -> list[str]:
    """The lines of a text file without the space around them; it may be empty.

    Raises `MissingError` when it is not there, `InputError` when it is no UTF-8 or too large.
    """
    if path.is_file() and path.stat().st_size == 0:
        return []
    try:
        text = read_bytes(path, _MAX_TEXT, "file").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error}") from error
    return [line.strip() for line in text.splitlines()]


def class_list(path: Path) -> tuple[str, ...]:
    """The classes of a file with one a line."""
    return tuple(filter(None, lines_of(path)))


def classes_of(folder: Path, found: Set[str]) -> tuple[str, ...]:
    """The classes of the file `classes.txt` in `folder`, else those `found`, by the alphabet.

    Raises `InputError` when the file lacks one that was found.
    """
    listing = folder / CLASSES
    if not listing.is_file():
        return tuple(sorted(found))
    classes = class_list(inside(folder, listing))
    strange = found - set(classes)
    if strange:
        raise InputError(f"{listing} has no class {min(strange)!r}, which the data set has")
    return classes


def write_classes(folder: Path, classes: Sequence[str]) -> None:
    """Write `classes.txt`, by which the classes keep their order."""
    write_file(folder / CLASSES, "".join(f"{name}\n" for name in classes).encode())


def is_safe(name: str) -> bool:
    """Whether a file of this name may be written below any folder, and read back."""
    return len(name) <= MAX_NAME and all(is_safe_part(part) for part in name.split("/"))


def is_safe_part(part: str) -> bool:
    """Whether `part` may be the name of one file or folder."""
    return (
        part.isprintable()
        and part == part.strip()
        and not part.startswith(".")
        and "\\" not in part
        and 1 <= len(part.encode("utf-8", "replace")) <= _MAX_PART
    )


def natural(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """A sorting key by which frame 2 stands before frame 10."""
    parts = re.split("([0-9]+)", name)
    return tuple((int(p) if i % 2 else -1, "" if i % 2 else p) for i, p in enumerate(parts)), name


def source_of(name: str, data_set: str) -> str:
    """The source of a picture that says nothing of it: its folder, else the data set."""
    folder = name.rpartition("/")[0]
    return data_set_name(folder) or data_set


def _unreadable(error: OSError) -> None:
    raise InputError(f"{error.filename} cannot be read: {error.strerror}") from error
