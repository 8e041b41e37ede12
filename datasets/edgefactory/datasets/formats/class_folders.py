"""Class folders: `CLASS/picture.jpg`, or `SPLIT/CLASS/picture.jpg`; one class a picture.

The layout that torchvision's ImageFolder and most classifiers' trainers read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgefactory.datasets.documents import Header, Item, Label, Split, Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.formats.foreign import (
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
    chosen_classes,
)
from edgefactory.datasets.formats.names import (
    SPLITS,
    classes_of,
    is_safe_part,
    pictures_under,
    relative_name,
    write_classes,
)
from edgefactory.datasets.formats.placing import Kept, Placed

TASKS: frozenset[Task] = frozenset({"classification"})
KEEPS: frozenset[Kept] = frozenset({"splits", "classes"})
BASE: str = ""
_ORIGIN: Final = "imported:folders"
_EXPECTED: Final = "expected CLASS/picture.jpg, or train/CLASS/picture.jpg"


def read(path: Path, settings: ImportSettings, _tally: Tally) -> ForeignSet:
    """The data set of a folder: splits if all its folders are called as splits are, then classes.

    Classes are those of `classes.txt`, else the folders in the order of the alphabet.
    """
    if not path.is_dir():
        raise MissingError(f"{path} is no folder of class folders; {_EXPECTED}")
    tops = [p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")]
    split_first = bool(tops) and set(tops) <= set(SPLITS)
    found: set[str] = set()
    pictures = []
    for picture in pictures_under(path):
        parts = relative_name(picture, path).split("/")
        split: Split = SPLITS[parts[0]] if split_first and len(parts) > 1 else "train"
        depth = 2 if split_first else 1
        if len(parts) <= depth:
            raise InputError(f"{picture} lies in no class folder; {_EXPECTED}")
        name, class_ = "/".join(parts[depth:]), parts[depth - 1]
        shelf = f"{split}/{class_}"
        found.add(class_)
        labels = (Label(class_, None, _ORIGIN, 1.0, "accepted"),)
        pictures.append(ForeignPicture(picture, shelf, name, split, labels, str(picture)))
    if not pictures:
        raise MissingError(f"{path} holds no pictures in class folders; {_EXPECTED}")
    classes = classes_of(path, found)
    return ForeignSet("classification", chosen_classes(classes, settings, str(path)), pictures)


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
    """The classes in their order; the folders say the rest."""
    write_classes(folder, header.classes)
