"""Pascal VOC: an XML file a picture, in `Annotations/`, `JPEGImages/` and `ImageSets/Main/`.

Numbers are taken and written as pixel edges, as today's tools do. (The VOC challenge's own files
count pixels from 1, which moves a left or upper edge by one pixel.)
Source of the format: Everingham et al., "The PASCAL VOC Challenge 2012 Development Kit".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from edgefactory.datasets.documents import Box, Header, Item, Label, Split, Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import read_bytes, write_file
from edgefactory.datasets.formats.foreign import (
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
    chosen_classes,
)
from edgefactory.datasets.formats.markup import parse_xml
from edgefactory.datasets.formats.names import (
    SPLITS,
    classes_of,
    files_under,
    inside,
    is_safe,
    lines_of,
    pictures_under,
    relative_name,
    write_classes,
)
from edgefactory.datasets.formats.placing import Kept, Placed

TASKS: frozenset[Task] = frozenset({"detection"})
KEEPS: frozenset[Kept] = frozenset({"splits", "classes"})
BASE: str = "JPEGImages"
_ANNOTATIONS: Final = "Annotations"
_SETS: Final = "ImageSets/Main"
_MAX_XML: Final = 4 * 2**20
_ORIGIN: Final = "imported:voc"
_EXPECTED: Final = f"expected {_ANNOTATIONS}/*.xml and {BASE}/, or .xml files beside their pictures"


def read(path: Path, settings: ImportSettings, tally: Tally) -> ForeignSet:
    """The data set of a folder; splits are those of `ImageSets/Main`, else train.

    Classes are those of `classes.txt`, else those found, in the order of the alphabet.
    """
    if not path.is_dir():
        raise MissingError(f"{path} is no folder of a VOC data set; {_EXPECTED}")
    base = path / BASE if (path / BASE).is_dir() else path
    notes = path / _ANNOTATIONS if (path / _ANNOTATIONS).is_dir() else path
    beside = {str(p.with_suffix("")): p for p in pictures_under(base)}
    splits = _splits(path)
    pictures = []
    for file in files_under(notes):
        if file.suffix.lower() != ".xml":
            continue
        stem = file.relative_to(notes).with_suffix("").as_posix()
        root = parse_xml(read_bytes(file, _MAX_XML, "annotation"), str(file))
        picture = beside.get(str(base / stem)) or _named(root, base, file)
        if picture is None:
            what = f"{file} is about {_text(root, 'filename')!r}, which is not in {base}"
            tally.bad("labels without a picture", MissingError(what))
            continue
        split, name = splits.get(stem, "train"), relative_name(picture, base)
        labels, size = _labels(root, file, tally.counts), _size(root)
        pictures.append(ForeignPicture(picture, "", name, split, labels, str(file), size=size))
    used = {picture.path for picture in pictures}
    tally.counts["pictures without an annotation left out"] += len(set(beside.values()) - used)
    if not pictures:
        raise MissingError(f"{path} holds no VOC data set; {_EXPECTED}")
    found = {label.class_ for picture in pictures for label in picture.labels}
    classes = classes_of(path, found)
    return ForeignSet("detection", chosen_classes(classes, settings, str(path)), pictures)


def shelf(_item: Item) -> str:
    """Pictures of all splits lie in one folder."""
    return ""


def unique_key(file: str) -> str:
    """What no two pictures may have in common: their XML file."""
    return str(PurePosixPath(file).with_suffix(""))


def comes_back(label: Label, _item: Item) -> Label | None:
    """A label as importing the exported one gives it: class, box and whether it is to be judged."""
    return Label(label.class_, label.box, _ORIGIN, 1.0, "accepted", label.ignore)


def check_class(name: str) -> bool:
    """Text of XML, and of a file with one class a line."""
    return name.isprintable() and name == name.strip()


def write(folder: Path, header: Header, placed: Sequence[Placed]) -> None:
    """An XML file for each picture, the lists of the splits, and the classes in their order."""
    stems: dict[Split, list[str]] = {"train": [], "val": [], "test": []}
    for one in placed:
        name = one.file.removeprefix(f"{BASE}/")
        stem = str(PurePosixPath(name).with_suffix(""))
        stems[one.item.split].append(stem)
        write_file(folder / _ANNOTATIONS / f"{stem}.xml", _xml(name, one.item).encode())
    for split, members in stems.items():
        if members:
            text = "".join(f"{stem}\n" for stem in members)
            write_file(folder / _SETS / f"{split}.txt", text.encode())
    write_classes(folder, header.classes)
    (folder / BASE).mkdir(exist_ok=True)


def _xml(name: str, item: Item) -> str:
    sides = f"<width>{item.width}</width><height>{item.height}</height><depth>3</depth>"
    objects = "".join(f"  {_object(label)}\n" for label in item.labels)
    return (
        f"<annotation>\n  <filename>{escape(name)}</filename>\n  <size>{sides}</size>\n"
        f"{objects}</annotation>\n"
    )


def _object(label: Label) -> str:
    assert label.box is not None
    edges = zip(("xmin", "ymin", "xmax", "ymax"), label.box, strict=True)
    box = "".join(f"<{edge}>{value!r}</{edge}>" for edge, value in edges)
    return (
        f"<object><name>{escape(label.class_)}</name><difficult>{int(label.ignore)}</difficult>"
        f"<bndbox>{box}</bndbox></object>"
    )


def _splits(path: Path) -> dict[str, Split]:
    found: dict[str, Split] = {}
    for name, split in SPLITS.items():
        listing = path / _SETS / f"{name}.txt"
        for stem in filter(None, lines_of(inside(path, listing)) if listing.is_file() else ()):
            if found.setdefault(stem, split) != split:
                raise InputError(f"{listing} lists {stem}, which is in the split {found[stem]} too")
    return found


def _named(root: Element, base: Path, file: Path) -> Path | None:
    """The picture that the annotation names, in the pictures' folder or beside it."""
    name = _text(root, "filename")
    if not is_safe(name):
        return None
    for folder in (base, file.parent):
        picture = folder / name
        if picture.is_file() and picture.is_relative_to(base):
            return inside(base, picture)
    return None


def _labels(root: Element, file: Path, counts: Counter[str]) -> tuple[Label, ...]:
    found = []
    for number, element in enumerate(root.findall("object"), start=1):
        where = f"{file}: object {number}"
        name = _text(element, "name")
        if not name:
            raise InputError(f"{where} has no name")
        ignore = _text(element, "difficult") == "1"
        for mark in ("truncated", "occluded"):
            counts[f"{mark} marks not kept"] += _text(element, mark) == "1"
        counts["parts not kept"] += len(element.findall("part"))
        found.append(Label(name, _box(element, where), _ORIGIN, 1.0, "accepted", ignore))
    return tuple(found)


def _box(element: Element, where: str) -> Box:
    texts = [_text(element, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x0, y0, x1, y1 = (float(text) for text in texts)
    except ValueError as error:
        raise InputError(f"{where} has the bndbox {texts}, expected four numbers") from error
    return x0, y0, x1, y1


def _size(root: Element) -> tuple[int, int] | None:
    width, height = _text(root, "size/width"), _text(root, "size/height")
    if not (width.isdecimal() and height.isdecimal()) or max(len(width), len(height)) > 9:
        return None
    return (int(width), int(height)) if int(width) and int(height) else None


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
