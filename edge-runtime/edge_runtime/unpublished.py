"""The model of a release folder that nobody has published: proven here, vouched for by nobody."""

import time
from pathlib import Path

from edge_runtime import durable, proof
from edge_runtime.contract import FileRef, Release, digest
from edge_runtime.errors import RefusedError
from edge_runtime.hardware import hardware_classes
from edge_runtime.hosting import Loaded
from edge_runtime.running import Active
from edge_runtime.store import Contents, Slot


def load_unpublished(folder: Path, release: Release, threads: int) -> Loaded:
    """The fastest variant of `release` in `folder` that decides here as it should.

    Raises MissingError, StorageError, or RefusedError when there is none.
    """
    contents = Contents(folder / "blobs", folder / "partial")
    usable, refused = proof.candidates(release, hardware_classes())
    proven, failing = proof.prove(release, usable, contents, threads)
    if not proven:
        reasons = "; ".join(f"{name}: {why}" for name, why in {**refused, **failing}.items())
        raise RefusedError(f"no variant of {release.name} may run on this box: {reasons}")
    best, chosen = proven[0].candidate.variant, proven[0].candidate
    data = durable.read(folder / "release.json", 1 << 26, "a release")
    ref = FileRef(digest(data), len(data))
    slot = Slot(
        ref,
        release.version,
        release.sequence,
        best.name,
        best.engine,
        time.time(),
        provider=chosen.provider,
    )
    return Loaded(Active("", slot, release, best), proven[0].session)
