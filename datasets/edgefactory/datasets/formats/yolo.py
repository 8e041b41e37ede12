"""YOLO: `data.yaml`, pictures below `images/`, and a text file of shares for each below `labels/`.

A line is `class left-right-middle top-bottom-middle width height`, shares of the picture's sides.
Predictions have the score behind it; polygons (`class x y x y x y ...`) come in as their boxes.
Source of the format: docs.ultralytics.com, "Object Detection Datasets".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from edgefactory.datasets.documents import Box, Header, Item, Label, Split, Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import read_bytes, write_file
from edgefactory.datasets.formats.boxes import has_area, rounded, to_shares
from edgefactory.datasets.formats.foreign import (
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
    chosen_classes,
)
from edgefactory.datasets.formats.names import (
    CLASSES,
    SPLITS,
    class_list,
    files_under,
    inside,
    lines_of,
    pictures_under,
    relative_name,
)
from edgefactory.datasets.formats.placing import Kept, Placed

TASKS: frozenset[Task] = frozenset({"detection"})
KEEPS: frozenset[Kept] = frozenset({"splits", "classes"})
BASE: str = "images"
_LABELS: Final = "labels"
_MAX_YAML: Final = 4 * 2**20
_ORIGIN: Final = "imported:yolo"
_EXPECTED: Final = "expected data.yaml (or --classes), images/ and labels/ with a .txt a picture"


def read(path: Path, settings: ImportSettings, tally: Tally) -> ForeignSet:
    """The data set of a folder, or of the `data.yaml` given.

    Splits are those of data.yaml; without it, those of the folders below `images/`, else train.
    """
    root = path if path.is_dir() else path.parent
    description, about = _description(path)
    names = _names(description, about, root, settings)
    labelled: set[Path] = set()
    pictures = []
    for picture, shelf, base, split in _listed(description, root):
        file = _label_file(picture, root)
        labelled.add(file)
        labels = _labels(inside(root, file), names) if file.is_file() else ()
        name = relative_name(picture, base)
        pictures.append(ForeignPicture(picture, shelf, name, split, labels, str(file), "share"))
    if not pictures:
        raise MissingError(f"{path} holds no pictures of a YOLO data set; {_EXPECTED}")
    for orphan in _orphans(root, labelled):
        tally.bad("labels without a picture", MissingError(f"{orphan} has no picture beside it"))
    return ForeignSet("detection", chosen_classes(names, settings, about), pictures)


def shelf(item: Item) -> str:
    """Pictures are sorted by split."""
    return item.split


def unique_key(file: str) -> str:
    """What no two pictures may have in common: their file of labels."""
    return str(PurePosixPath(file).with_suffix(""))


def comes_back(label: Label, _item: Item) -> Label | None:
    """A label as importing the exported one gives it: class and box, to a thousandth of a pixel."""
    assert label.box is not None
    box = rounded(label.box)
    return Label(label.class_, box, _ORIGIN, 1.0, "accepted") if has_area(box) else None


def check_class(_name: str) -> bool:
    """YAML holds any name."""
    return True


def write(folder: Path, header: Header, placed: Sequence[Placed]) -> None:
    """`data.yaml`, and a text file for each picture."""
    import yaml

    number = {name: index for index, name in enumerate(header.classes)}
    for one in placed:
        rows = [_line(label, one.item, number) for label in one.item.labels]
        write_file(_label_file(folder / one.file, folder), "".join(rows).encode())
    used = {one.item.split for one in placed} | {"train"}
    splits: tuple[Split, ...] = ("train", "val", "test")
    description = {split: f"{BASE}/{split}" for split in splits if split in used} | {
        "names": dict(enumerate(header.classes))
    }
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
    write_file(folder / "data.yaml", text.encode())
    (folder / BASE / "train").mkdir(parents=True, exist_ok=True)


def _line(label: Label, item: Item, number: dict[str, int]) -> str:
    assert label.box is not None
    left, top, width, height = to_shares(rounded(label.box), item.width, item.height)
    if not (width > 0 and height > 0):
        return ""
    middle = (left + width / 2, top + height / 2)
    return f"{number[label.class_]} {middle[0]!r} {middle[1]!r} {width!r} {height!r}\n"


def _description(path: Path) -> tuple[dict[str, Any], str]:
    """data.yaml, and what to call it in messages."""
    import yaml

    found = [path] if path.is_file() else sorted((*path.glob("*.yaml"), *path.glob("*.yml")))
    if not found:
        return {}, str(path)
    file = found[0]
    content = read_bytes(inside(path if path.is_dir() else path.parent, file), _MAX_YAML, "file")
    try:
        description = yaml.load(content, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is no YAML: {error}; {_EXPECTED}") from error
    if not isinstance(description, dict):
        raise InputError(f"{file} is no description of a YOLO data set; {_EXPECTED}")
    return description, str(file)


def _names(
    description: dict[str, Any], about: str, root: Path, settings: ImportSettings
) -> tuple[str, ...]:
    names = description.get("names")
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if names is None:
        listings = (root / CLASSES, root / _LABELS / CLASSES)
        listing = next((file for file in listings if file.is_file()), None)
        names = list(class_list(inside(root, listing)) if listing else settings.classes or ())
    if not isinstance(names, list) or not all(isinstance(n, str | int | float) for n in names):
        raise InputError(f"{about} names no classes 0, 1, 2, ...; {_EXPECTED}")
    return tuple(str(name) for name in names)


def _listed(description: dict[str, Any], root: Path) -> Iterator[tuple[Path, str, Path, Split]]:
    """Every picture with its shelf, the folder that its name counts from, and its split."""
    entries = [
        (split, entry)
        for key, split in SPLITS.items()
        for entry in _entries(description.get(key), f"{root}: {key}")
    ]
    if not entries:
        base = root / BASE if (root / BASE).is_dir() else root
        folders = [p.name for p in base.iterdir() if p.is_dir()] if base.is_dir() else []
        if not folders or not set(folders) <= set(SPLITS):
            yield from ((picture, "", base, "train") for picture in pictures_under(base))
            return
        entries = [(SPLITS[name], f"{base.relative_to(root)}/{name}") for name in sorted(folders)]
    for split, entry in entries:
        place = _place(description, root, entry)
        if place.is_file():
            for line in filter(None, lines_of(place)):
                picture = inside(root, place.parent / line)
                if not picture.is_file():
                    raise MissingError(f"{place} lists {line}, which is not there")
                base = root / BASE if picture.is_relative_to(root / BASE) else place.parent
                yield picture, split, base, split
        else:
            yield from ((picture, split, place, split) for picture in pictures_under(place))


def _entries(value: object, where: str) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    entries = [entry for entry in values if isinstance(entry, str) and entry]
    if len(entries) != len(values):
        raise InputError(f"{where} is no folder of pictures, nor a list of such folders")
    return entries


def _place(description: dict[str, Any], root: Path, entry: str) -> Path:
    """Where an entry of data.yaml leads: below its `path`, below the file, or as if above it."""
    parent = description.get("path")
    bases = [root / parent, root] if isinstance(parent, str) else [root]
    plain = entry.removeprefix("../")  # Roboflow writes ../train/images and means train/images
    for place in [base / name for base in bases for name in (entry, plain)]:
        if place.resolve().is_relative_to(root.resolve()) and place.exists():
            return place
    raise MissingError(f"{root} has no {entry}, which its data.yaml names; {_EXPECTED}")


def _label_file(picture: Path, root: Path) -> Path:
    """Ultralytics' rule: the last folder `images` becomes `labels`; without one, beside it."""
    parts = list(picture.relative_to(root).parent.parts)
    if BASE in parts:
        parts[len(parts) - 1 - parts[::-1].index(BASE)] = _LABELS
    return root.joinpath(*parts, f"{picture.stem}.txt")


def _orphans(root: Path, labelled: set[Path]) -> Iterator[Path]:
    for folder in sorted({file.parent for file in labelled}):
        if folder.name == _LABELS or _LABELS in folder.relative_to(root).parts:
            for file in files_under(folder) if folder.is_dir() else ():
                plain = file.suffix == ".txt" and file.name != CLASSES
                if plain and file.parent == folder and file not in labelled:
                    yield file


def _labels(file: Path, names: Sequence[str]) -> tuple[Label, ...]:
    found = []
    for number, line in enumerate(lines_of(file), start=1):
        if not line:
            continue
        where = f"{file} line {number}"
        try:
            values = [float(word) for word in line.split()]
        except ValueError as error:
            raise InputError(f"{where} is {line[:40]!r}; expected numbers") from error
        kind, rest = values[0], values[1:]
        if kind not in range(len(names)):
            raise InputError(f"{where} has the class {kind:g}; there are {len(names)} from 0 on")
        score = rest[4] if len(rest) == 5 else 1.0
        if not 0 <= score <= 1:
            raise InputError(f"{where} has the score {score:g}; expected 0 to 1")
        found.append(Label(names[int(kind)], _box(rest, where), _ORIGIN, score, "accepted"))
    return tuple(found)


def _box(values: list[float], where: str) -> Box:
    if len(values) in (4, 5):
        x, y, width, height = values[:4]
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) >= 6 and len(values) % 2 == 0:
        across, down = values[::2], values[1::2]
        return min(across), min(down), max(across), max(down)
    raise InputError(f"{where} has {len(values)} numbers behind the class; expected 4")
