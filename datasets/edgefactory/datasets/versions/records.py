"""What a store knows of a version: a `.dvc` file that stock DVC reads, and what is in a tree.

The store's `versions/<digest>.dvc` names the version's tree of files under `outs`, as `dvc add`
would, and says what it is under `meta`, which DVC leaves alone. It is written as JSON, which is
YAML too.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edgefactory.datasets.documents import Count, Name, Sha256
from edgefactory.datasets.errors import InputError

Md5 = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
TreeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\.dir$")]
FileOfSnapshot = Annotated[
    str, Meta(pattern=r"^(manifest\.jsonl?|images/[0-9a-f]{64}\.(jpg|png))$")
]


class Version(Struct, frozen=True, forbid_unknown_fields=True):
    """A pushed snapshot. `sha256` is its digest; `pushed_at` is in UTC, ISO 8601."""

    name: Name
    sha256: Sha256
    pictures: Count
    pushed_at: str
    note: str = ""


class _Meta(Struct, frozen=True, forbid_unknown_fields=True):
    edgefactory: Version


class Out(Struct, frozen=True, forbid_unknown_fields=True):
    """What DVC fetches to the folder `path`: the tree `md5` of `nfiles` files, `size` bytes."""

    md5: TreeId
    size: Count
    nfiles: Count
    path: Name
    hash: Literal["md5"] = "md5"


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """The `.dvc` file of a version."""

    meta: _Meta
    outs: tuple[Out]

    @property
    def version(self) -> Version:
        """What was pushed."""
        return self.meta.edgefactory

    @property
    def out(self) -> Out:
        """Where its files are."""
        return self.outs[0]


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a tree: the MD5 under which DVC stores it, and its path in the snapshot."""

    md5: Md5
    relpath: FileOfSnapshot


def record(version: Version, out: Out) -> Record:
    """The record of that version."""
    return Record(_Meta(version), (out,))


def read_entries(content: bytes, where: str) -> tuple[Entry, ...]:
    """The files that a stored tree names. Raises `InputError` for what no snapshot has."""
    try:
        entries = msgspec.json.decode(content, type=tuple[Entry, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not the tree of a snapshot: {error}") from error
    if len({entry.relpath for entry in entries}) != len(entries):
        raise InputError(f"{where} names a file twice; push the snapshot again")
    return entries
