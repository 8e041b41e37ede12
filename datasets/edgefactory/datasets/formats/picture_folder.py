"""A folder of pictures and nothing else: footage of a camera that stores stills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgefactory.datasets.documents import Header, Item, Label, Task
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.formats.foreign import (
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
    chosen_classes,
)
from edgefactory.datasets.formats.names import inside, pictures_under, relative_name
from edgefactory.datasets.formats.placing import Kept, Placed

TASKS: frozenset[Task] = frozenset({"detection", "classification"})
KEEPS: frozenset[Kept] = frozenset()
BASE: str = ""


def read(path: Path, settings: ImportSettings, _tally: Tally) -> ForeignSet:
    """All pictures below a folder, or the one given; the settings say task and classes."""
    base = path if path.is_dir() else path.parent
    files = pictures_under(path) if path.is_dir() else [inside(base, path)]
    pictures = [
        ForeignPicture(file, "", relative_name(file, base), "train", (), str(file))
        for file in files
    ]
    if not pictures:
        raise MissingError(f"{path} holds no pictures; expected .jpg or .png files, at any depth")
    return ForeignSet(settings.task, chosen_classes((), settings, str(path)), pictures)


def shelf(_item: Item) -> str:
    """Pictures lie where their names say."""
    return ""


def unique_key(file: str) -> str:
    """What no two pictures may have in common: the file itself."""
    return file


def comes_back(_label: Label, _item: Item) -> Label | None:
    """There is no place for labels."""
    return None


def check_class(_name: str) -> bool:
    """Classes are not written."""
    return True


def write(_folder: Path, _header: Header, _placed: Sequence[Placed]) -> None:
    """There is nothing but pictures."""
