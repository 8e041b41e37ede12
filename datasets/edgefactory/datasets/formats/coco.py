"""COCO: one JSON file a split, with boxes as [left, top, width, height].

The format knows scores and crowds. What else a snapshot says of a picture or label is written
under the key `edgefactory`, which other tools pass over, so that it comes back.
Source of the format: cocodataset.org, "Data format", object detection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field

from edgefactory.datasets.documents import (
    Count,
    Header,
    Item,
    Label,
    Labeller,
    Name,
    Sha256,
    Share,
    Split,
    State,
    Task,
)
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import read_bytes, write_file
from edgefactory.datasets.formats.boxes import far_edge, has_area, length
from edgefactory.datasets.formats.foreign import (
    Facts,
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
    chosen_classes,
)
from edgefactory.datasets.formats.names import SPLITS, inside, is_safe
from edgefactory.datasets.formats.placing import Kept, Placed

TASKS: frozenset[Task] = frozenset({"detection"})
KEEPS: frozenset[Kept] = frozenset({"facts", "splits", "classes"})
BASE: str = "images"
_MAX_BYTES: Final = 2 * 2**30
_ORIGIN: Final = "imported:coco"

Id = int | str
Origin = Annotated[str, Meta(pattern="^(teacher|human|imported):.+$")]


class _Facts(Struct, frozen=True, forbid_unknown_fields=True):
    source: Name
    captured_at: float
    frame: Count | None = None
    reviewed: bool = False


class _Provenance(Struct, frozen=True, forbid_unknown_fields=True):
    origin: Origin
    state: State


class _About(Struct, frozen=True, forbid_unknown_fields=True):
    test_labels: Labeller
    truth_sha256: Sha256 | None


class _Info(Struct, frozen=True):
    edgefactory: _About | None = None


class _Image(Struct, frozen=True):
    id: Id
    file_name: str
    width: int = 0
    height: int = 0
    edgefactory: _Facts | None = None


class _Annotation(Struct, frozen=True):
    """One object. Masks are counted, not parsed: `Raw` leaves their JSON as it is."""

    id: Id
    image_id: Id
    category_id: Id
    bbox: tuple[float, ...] = ()
    iscrowd: int = 0
    score: Share = 1.0
    segmentation: msgspec.Raw = msgspec.Raw()
    keypoints: msgspec.Raw = msgspec.Raw()
    edgefactory: _Provenance | None = None


class _Category(Struct, frozen=True):
    id: Id
    name: str


class _File(Struct, frozen=True):
    images: tuple[_Image, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...]
    info: _Info = field(default_factory=_Info)


def read(path: Path, settings: ImportSettings, tally: Tally) -> ForeignSet:
    """The data set of a COCO file, or of all such files of a folder.

    A file's split is the word `train`, `val` or `test` in its name or its folder's, else train.
    """
    root = path if path.is_dir() else path.parent
    classes: dict[str, None] = {}
    pictures: list[ForeignPicture] = []
    about: _About | None = None
    for file in _annotation_files(path):
        found = _parsed(file)
        about = about or found.info.edgefactory
        for category in sorted(found.categories, key=lambda c: (isinstance(c.id, str), c.id)):
            classes[category.name] = None
        pictures += _pictures(found, file, _bases(file, root, settings), tally)
    return ForeignSet(
        "detection",
        chosen_classes(classes, settings, str(path)),
        pictures,
        about.test_labels if about else "imported",
        about.truth_sha256 if about else None,
    )


def shelf(_item: Item) -> str:
    """Pictures of all splits lie in one folder."""
    return ""


def unique_key(file: str) -> str:
    """What no two pictures may have in common: the file itself."""
    return file


def comes_back(label: Label, _item: Item) -> Label | None:
    """A label as importing the exported one gives it: all but the bound, which ends here.

    A bound is true of an exact set of labels, and nothing guards that set in a file that other
    tools edit.
    """
    assert label.box is not None
    x0, y0, x1, y1 = label.box
    box = (x0, y0, far_edge(x0, length(x0, x1)), far_edge(y0, length(y0, y1)))
    return msgspec.structs.replace(label, box=box, bound=None) if has_area(box) else None


def check_class(_name: str) -> bool:
    """JSON holds any name."""
    return True


def write(folder: Path, header: Header, placed: Sequence[Placed]) -> None:
    """`annotations/instances_<split>.json` for each split that has pictures."""
    number = {name: index for index, name in enumerate(header.classes, start=1)}
    splits: tuple[Split, ...] = ("train", "val", "test")
    for split in splits:
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for one in placed:
            if one.item.split != split:
                continue
            images.append(_image(one, len(images) + 1))
            for label in one.item.labels:
                entry = {"id": len(annotations) + 1, "image_id": len(images)}
                annotations.append(entry | _annotation(label, number[label.class_]))
        if images or split == "train":
            about = {"test_labels": header.test_labels, "truth_sha256": header.truth_sha256}
            document = {
                "info": {"description": header.name, "edgefactory": about},
                "images": images,
                "annotations": annotations,
                "categories": [{"id": n, "name": name} for name, n in number.items()],
            }
            file = folder / "annotations" / f"instances_{split}.json"
            write_file(file, msgspec.json.encode(document) + b"\n")


def _image(one: Placed, number: int) -> dict[str, Any]:
    item = one.item
    return {
        "id": number,
        "file_name": one.file.removeprefix(f"{BASE}/"),
        "width": item.width,
        "height": item.height,
        "edgefactory": _Facts(item.source, item.captured_at, item.frame, item.reviewed),
    }


def _annotation(label: Label, category: int) -> dict[str, Any]:
    assert label.box is not None
    x0, y0, x1, y1 = label.box
    width, height = length(x0, x1), length(y0, y1)
    entry: dict[str, Any] = {
        "category_id": category,
        "bbox": [x0, y0, width, height],
        "area": width * height,
        "iscrowd": int(label.ignore),
    }
    if label.score != 1:
        entry["score"] = label.score
    if (label.origin, label.state) != (_ORIGIN, "accepted"):
        entry["edgefactory"] = _Provenance(label.origin, label.state)
    return entry


def _annotation_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for pattern in ("annotations/instances_*.json", "annotations/*.json", "*.json", "*/*.json"):
        files = [inside(path, file) for file in sorted(path.glob(pattern))]
        if files := [file for file in files if not file.name.startswith("edgefactory-")]:
            return files
    raise MissingError(
        f"{path} holds no COCO data set; expected a COCO file, or a folder with "
        "annotations/instances_train.json or train/_annotations.coco.json"
    )


def _parsed(file: Path) -> _File:
    content = read_bytes(file, _MAX_BYTES, "COCO file")
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} is no COCO file: {error}; expected images, annotations and categories"
        ) from error
    for what, entries in (
        ("image", found.images),
        ("annotation", found.annotations),
        ("category", found.categories),
    ):
        ids: set[Id] = set()
        for entry in entries:
            if entry.id in ids:
                raise InputError(f"{file}: two entries have the {what} id {entry.id!r}")
            ids.add(entry.id)
    if len({category.name for category in found.categories}) != len(found.categories):
        raise InputError(f"{file}: two categories have the same name")
    return found


def _bases(file: Path, root: Path, settings: ImportSettings) -> list[Path]:
    """Where the pictures of a file may lie, likeliest first."""
    if settings.images is not None:
        return [settings.images]
    tail = file.stem.rpartition("_")[2]
    folders = dict.fromkeys((file.parent, root, file.parent.parent))
    inner = [folder / part for folder in folders for part in (BASE, tail, f"{BASE}/{tail}")]
    return [folder for folder in (*inner, *folders) if folder.is_dir()]


def _pictures(
    found: _File, file: Path, bases: list[Path], tally: Tally
) -> Iterator[ForeignPicture]:
    split = _split(file)
    labels = _labels(found, file, tally)
    for image in found.images:
        where = f"{file}: image {image.id!r}"
        name = image.file_name.removeprefix("./")
        if not is_safe(name):
            raise InputError(f"{where} has the file name {name!r}, expected a plain relative one")
        path = _picture(name, bases)
        if path is None:
            looked = ", ".join(str(base) for base in bases[:3])
            what = f"{where}: {name} is not there; looked in {looked}"
            tally.bad("pictures that are not there", MissingError(what))
            continue
        own = image.edgefactory
        yield ForeignPicture(
            path,
            split,
            name,
            split,
            tuple(labels[image.id]),
            f"{where} ({name})",
            size=(image.width, image.height) if image.width and image.height else None,
            facts=None if own is None else Facts(*msgspec.structs.astuple(own)),
        )


def _picture(name: str, bases: list[Path]) -> Path | None:
    for base in bases:
        if (base / name).is_file():
            return inside(base, base / name)
    return None


def _split(file: Path) -> Split:
    for part in (file.stem, file.parent.name):
        for word, split in SPLITS.items():
            if word in part.lower().replace("-", "_").rstrip("0123456789").split("_"):
                return split
    return "train"


def _labels(found: _File, file: Path, tally: Tally) -> dict[Id, list[Label]]:
    names = {category.id: category.name for category in found.categories}
    labels: dict[Id, list[Label]] = {image.id: [] for image in found.images}
    for entry in found.annotations:
        where = f"{file}: annotation {entry.id!r}"
        if entry.image_id not in labels or entry.category_id not in names:
            raise InputError(
                f"{where} names image {entry.image_id!r} and category {entry.category_id!r}; "
                "one of them is not there"
            )
        if len(entry.bbox) != 4:
            what = f"{where} has the bbox {list(entry.bbox)}, expected [left, top, width, height]"
            tally.bad("boxes", InputError(what))
            continue
        tally.counts["masks not kept"] += bytes(entry.segmentation) not in (b"", b"[]", b"null")
        tally.counts["keypoints not kept"] += bytes(entry.keypoints) not in (b"", b"[]", b"null")
        x, y, width, height = entry.bbox
        own = entry.edgefactory or _Provenance(_ORIGIN, "accepted")
        box = (x, y, far_edge(x, width), far_edge(y, height))
        labels[entry.image_id].append(
            Label(
                names[entry.category_id],
                box,
                own.origin,
                entry.score,
                own.state,
                entry.iscrowd != 0,
            )
        )
    return labels
