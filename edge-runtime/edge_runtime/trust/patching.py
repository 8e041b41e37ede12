"""A file by a patch from one that is here: less to fetch; whatever is odd, the whole file comes."""

import logging
from collections.abc import Iterable

from edge_runtime import durable
from edge_runtime.contract import FileRef, Patch, digest
from edge_runtime.errors import MissingError, TrustError
from edge_runtime.store.contents import Contents
from edge_runtime.trust.blobs import fetch_blob
from edge_runtime.trust.bspatch import apply_patch
from edge_runtime.trust.origin import Source

log = logging.getLogger(__name__)


def fetch_by_patch(
    source: Source, blobs: str, ref: FileRef, patches: Iterable[Patch], contents: Contents
) -> bool:
    """Make the content of `ref` from one of its `patches`, got from the URL `blobs`.

    The patch is verified before it is decoded and the result after. False when no patch is
    shorter than the file and starts from what is here, or anything about it is wrong, which is
    logged: the file is then to be fetched whole. Raises StorageError (disk).
    """
    usable = [
        patch
        for patch in patches
        if patch.result == ref and patch.patch.bytes < ref.bytes and contents.holds(patch.base)
    ]
    if not usable:
        return False
    patch = min(usable, key=lambda patch: patch.patch.bytes)
    try:
        _apply(source, blobs, patch, contents)
    except (MissingError, TrustError) as error:
        log.warning("patch %s… is of no use, fetching the file: %s", patch.patch.sha256[:12], error)
        return False
    return True


def _apply(source: Source, blobs: str, patch: Patch, contents: Contents) -> None:
    name = patch.patch.sha256
    final = contents.partial / f"{name}.patch"
    fetch_blob(source, f"{blobs}/{name}", patch.patch, contents.partial / name, final)
    try:
        data = durable.read(final, patch.patch.bytes, "a patch")
    finally:
        durable.remove(final)
    result = apply_patch(contents.read(patch.base), data, patch.result.bytes)
    if digest(result) != patch.result.sha256:
        raise TrustError(
            f"it makes a file with SHA-256 {digest(result)[:12]}…, "
            f"expected {patch.result.sha256[:12]}…"
        )
    durable.write(contents.path(patch.result), result)
