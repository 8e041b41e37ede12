"""A release back out of the registry, as the very bytes that went in."""

import tempfile
from pathlib import Path

from edge_runtime.contract import Release, digest
from edgefactory.datasets.errors import MissingError, TrustError
from edgefactory.datasets.files import fresh_folder
from edgefactory.registry.aliases import Known, find, show
from edgefactory.registry.files import copy_blob, parse, read_bounded, write_atomic
from edgefactory.registry.gate import BLOBS, MAX_RELEASE_BYTES, RELEASE_FILE
from edgefactory.registry.store import opened
from edgefactory.registry.versions import BUNDLE


def fetch_release(store: str, model: str, name: str, out: Path) -> Known:
    """Write the registered release that `name` names (an alias, a version, a digest) to `out`.

    It is what was registered, to the byte: TrustError otherwise. Raises MissingError, InputError.
    """
    known = find(show(store, model), name)
    with opened(store) as client, tempfile.TemporaryDirectory(prefix="edgefactory-") as scratch:
        run = client.get_model_version(model, str(known.number)).run_id
        if run is None:
            raise MissingError(f"{model} {known.version} has no run, which would hold its files")
        folder = Path(client.download_artifacts(run, BUNDLE, scratch))
        data = read_bounded(folder / RELEASE_FILE, MAX_RELEASE_BYTES)
        if digest(data) != known.sha256:
            raise TrustError(
                f"the store's {RELEASE_FILE} of {model} {known.version} is {digest(data)[:12]}…, "
                f"registered was {known.sha256[:12]}…"
            )
        release = parse(data, Release, f"{model} {known.version}")
        with fresh_folder(out, RELEASE_FILE) as work:
            for sha256, ref in sorted(release.files().items()):
                copy_blob(folder / BLOBS / sha256, ref, work / BLOBS)
            write_atomic(work / RELEASE_FILE, data)
    return known
