"""How pictures get into a new snapshot folder: as links to those of another one, or as bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgefactory.datasets.documents import Header, Item
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.files import fresh_folder, storage_errors
from edgefactory.datasets.manifest import FIRST_FORM, MANIFEST, write_manifest

Pictures = Callable[[Item], Path | bytes]
"""Where an item's image file lies, or its bytes."""


def write_snapshot(out: Path, header: Header, items: Iterable[Item], pictures: Pictures) -> str:
    """Write a whole snapshot folder at `out` and return the snapshot's digest.

    Pictures that are named by a path are hard-linked where the file system can, else copied.
    An earlier snapshot at `out` is replaced; nothing half-written is ever seen there. Raises
    `InputError` for an item that is not valid or an `out` that holds something else,
    `MissingError` for a picture that is not there, `StorageError` when the disk refuses.
    """
    with snapshot_folder(out) as work:
        return write_manifest(work, header, _carried(work, items, pictures))


@contextmanager
def snapshot_folder(out: Path) -> Iterator[Path]:
    """`fresh_folder` for a snapshot, with its folder of pictures."""
    with fresh_folder(out, MANIFEST, FIRST_FORM) as work:
        (work / "images").mkdir()
        yield work


def pictures_of(folder: Path) -> Pictures:
    """The pictures of the snapshot in `folder`."""
    return lambda item: folder / item.file


def _carried(work: Path, items: Iterable[Item], pictures: Pictures) -> Iterator[Item]:
    for item in items:
        place(pictures(item), work / item.file)
        yield item


def place(picture: Path | bytes, target: Path) -> None:
    """Put a picture at `target`, which must not be there. Errors as `write_snapshot`."""
    with storage_errors(target):
        if isinstance(picture, bytes):
            target.write_bytes(picture)
            return
        try:
            target.hardlink_to(picture)
        except FileNotFoundError as error:
            raise MissingError(
                f"picture {picture} is not there; build the snapshot again"
            ) from error
        except OSError:  # another file system, or one without links
            shutil.copyfile(picture, target)
