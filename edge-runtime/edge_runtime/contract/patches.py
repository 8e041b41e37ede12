"""How a site gets from a file that it holds to one of a newer release without fetching it whole."""

from typing import Literal

from msgspec import Struct

from edge_runtime.contract.release import FileRef, Sha256


class Patch(Struct, frozen=True, forbid_unknown_fields=True):
    """`patch` turns the content of `base` into that of `result`; it is a BSDIFF40 file."""

    base: FileRef
    patch: FileRef
    result: FileRef


class Patches(Struct, frozen=True, forbid_unknown_fields=True):
    """The patches to files of the release whose release.json has the SHA-256 `release`."""

    schema: Literal["patches/1"]
    release: Sha256
    patches: tuple[Patch, ...]
