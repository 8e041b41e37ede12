"""Class folders: `CLASS/picture.jpg`, or `SPLIT/CLASS/picture.jpg`; one class a picture.

The layout that torchvision's ImageFolder and most classifiers' trainers read. How sequences became
such pictures is written beside them, as `signal.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_runtime.contract import encode
from edgefactory.datasets.documents import Header, Item, Label, Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import write_file
from edgefactory.datasets.formats.filing import filed
from edgefactory.datasets.formats.foreign import (
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
    chosen_classes,
)
from edgefactory.datasets.formats.names import (
    classes_of,
    inside,
    is_safe_part,
    pictures_under,
    write_classes,
)
from edgefactory.datasets.formats.placing import Kept, Placed
from edgefactory.datasets.formats.signal_file import SIGNAL, read_signal

TASKS: frozenset[Task] = frozenset({"classification"})
KEEPS: frozenset[Kept] = frozenset({"splits", "classes", "signal"})
BASE: str = ""
_ORIGIN: Final = "imported:folders"
_EXPECTED: Final = "expected CLASS/picture.jpg, or train/CLASS/picture.jpg"


def read(path: Path, settings: ImportSettings, _tally: Tally) -> ForeignSet:
    """The data set of a folder: splits if all its folders are called as splits are, then classes.

    Classes are those of `classes.txt`, else the folders in the order of the alphabet.
    """
    found = filed(path, pictures_under, _EXPECTED)
    if not found:
        raise MissingError(f"{path} holds no pictures in class folders; {_EXPECTED}")
    pictures = []
    for file in found:
        labels = (Label(file.class_, None, _ORIGIN, 1.0, "accepted"),)
        shelf = f"{file.split}/{file.class_}"
        pictures.append(
            ForeignPicture(file.path, shelf, file.name, file.split, labels, str(file.path))
        )
    own = classes_of(path, {file.class_ for file in found})
    classes = chosen_classes(own, settings, str(path))
    listing = inside(path, path / SIGNAL)
    signal = read_signal(listing) if listing.is_file() else None
    return ForeignSet("classification", classes, pictures, signal=signal)


def shelf(item: Item) -> str:
    """Pictures are sorted by split and class. Raises `InputError` for one of several classes."""
    if len(item.labels) != 1:
        raise InputError(
            f"item {item.id[:12]} has {len(item.labels)} classes; a folder has place for one"
        )
    return f"{item.split}/{item.labels[0].class_}"


def unique_key(file: str) -> str:
    """What no two pictures may have in common: the file itself."""
    return file


def comes_back(label: Label, _item: Item) -> Label | None:
    """A label as importing the exported one gives it: the class."""
    return Label(label.class_, None, _ORIGIN, 1.0, "accepted")


def check_class(name: str) -> bool:
    """The name of a folder, and a line of a text file."""
    return is_safe_part(name) and "/" not in name


def write(folder: Path, header: Header, _placed: Sequence[Placed]) -> None:
    """The classes in their order, and the signal; the folders say the rest."""
    write_classes(folder, header.classes)
    if header.signal is not None:
        write_file(folder / SIGNAL, encode(header.signal))
