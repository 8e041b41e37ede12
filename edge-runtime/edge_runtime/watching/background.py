"""What a camera usually shows, kept over a restart: sealed, bounded, and never worth an error.

Where it is damaged, or of another source, the camera learns it anew within seconds; what is lost is
that a camera which was moved meanwhile is taken as it is.
"""

import logging
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from edge_runtime import durable
from edge_runtime.contract import decode, digest
from edge_runtime.contract.release import Sha256
from edge_runtime.errors import ContractError, MissingError, StorageError
from edge_runtime.watching.camera import Background

MOST_BYTES: Final = 1024 * 1024

log = logging.getLogger(__name__)


class _Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """`grey` has whole grey levels, row by row; `source` is the digest of where it was seen."""

    schema: Literal["background/1"]
    source: Sha256
    width: Annotated[int, Meta(ge=3, le=160)]
    grey: bytes
    sharp: float
    white: float
    edges_fit: float


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    sha256: Sha256
    kept: msgspec.Raw  # the very bytes that were sealed


def save_background(path: Path, source: str, background: Background) -> bool:
    """Keep `background`, that `source` shows, at `path`; False: it is too large to be kept.

    Raises StorageError.
    """
    raw = msgspec.json.encode(
        _Kept(
            schema="background/1",
            source=digest(source.encode()),
            width=background.grey.shape[1],
            grey=np.clip(background.grey.round(), 0, 255).astype(np.uint8).tobytes(),
            sharp=background.sharp,
            white=background.white,
            edges_fit=background.edges_fit,
        )
    )
    data = msgspec.json.encode(_Sealed(digest(raw), msgspec.Raw(raw)))
    if len(data) > MOST_BYTES:
        return False
    durable.make_folder(path.parent)
    durable.write(path, data, mode=0o600)
    return True


def load_background(path: Path, source: str) -> Background | None:
    """What is kept at `path` of `source`; None where that is nothing, or damaged, which is said."""
    try:
        data = durable.read(path, MOST_BYTES, "a camera's background")
        kept = _opened(data, path)
    except MissingError:
        return None
    except (StorageError, ContractError) as error:
        log.warning("what the camera showed is learned anew: %s", error)
        return None
    if kept.source != digest(source.encode()):
        log.warning("%s is of another source; what this one shows is learned anew", path.name)
        return None
    grey = np.frombuffer(kept.grey, np.uint8).reshape(-1, kept.width).astype(np.float32)
    return Background(grey, kept.sharp, kept.white, kept.edges_fit)


def _opened(data: bytes, path: Path) -> _Kept:
    """Raises ContractError where a byte has changed."""
    sealed = decode(data, _Sealed, str(path))
    if digest(bytes(sealed.kept)) != sealed.sha256:
        raise ContractError(f"{path} is damaged: its digest is not the one that it was sealed with")
    kept = decode(bytes(sealed.kept), _Kept, str(path))
    if len(kept.grey) < 3 * kept.width or len(kept.grey) % kept.width:
        raise ContractError(f"{path} is damaged: its picture is not whole")
    return kept
