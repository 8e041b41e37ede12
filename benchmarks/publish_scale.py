"""Publishing into a tree of 500 models with 20 releases each, and a site that reads it.

The tree's metadata is real and signed by all its thresholds; the releases named in it before are
entries only. `publish_seconds` is of one more release of a known model, signatures included (wall).
`client_cpu_ms` is of the process that updates a site: a refresh and the lookup of one model's block
list, rollout and release, without what it had cached; `idle_cpu_ms` the same with a cache.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from measured import Bound, Measured

SAYS = "publishing into a tree of 10,000 releases, and a site's refresh from it"

_MODELS: Final = 500
_RELEASES: Final = 20  # each


def run(_full: bool, /) -> Measured:
    """Make the tree, publish into it, read it."""
    from edgefactory.registry import create_keys, init_repository, publish

    with tempfile.TemporaryDirectory() as folder:
        published, keys = Path(folder) / "published", Path(folder) / "keys"
        create_keys(keys)
        root = init_repository(published, keys).read_bytes()
        _fill(published, keys)
        release = _release(Path(folder) / "release")
        started = time.perf_counter()
        publish(release, release / "verdict.json", keys, published)
        seconds = time.perf_counter() - started
        with _served(published) as url:
            cold = _refresh_ms(url, root, Path(folder) / "cache")
            idle = _refresh_ms(url, root, Path(folder) / "cache")
        sizes = {
            path.name: path.stat().st_size for path in (published / "metadata").glob("3.*.json")
        }
    metrics = {
        "publish_seconds": round(seconds, 3),
        "client_cpu_ms": round(cold, 1),
        "idle_cpu_ms": round(idle, 1),
    }
    bounds = {"publish_seconds": Bound("at_most", 2.0), "client_cpu_ms": Bound("at_most", 150.0)}
    return Measured(metrics, bounds=bounds, peers={"metadata_bytes": sizes})


def _fill(published: Path, keys: Path) -> None:
    """Name the releases and rollouts of all models in one commit."""
    from tuf.api.metadata import TargetFile

    from edge_runtime.contract import digest
    from edgefactory.registry import tree as trees
    from edgefactory.registry.repository import commit, sign_rollout

    tree, now = trees.load_tree(published), trees.utc_now()
    releases = trees.next_version(tree.releases, trees.RELEASES, now)
    rollout = trees.next_version(tree.rollout, trees.ROLLOUT, now)
    for model in range(_MODELS):
        name = f"model-{model}"
        for number in range(1, _RELEASES + 1):
            version, sha256 = f"0.{number}.0", digest(f"{name} {number}".encode())
            custom = {"model": name, "version": version, "sequence": number, "verdict": sha256}
            path = f"releases/{name}/{version}/release.json"
            releases.signed.targets[path] = TargetFile(
                40_000, {"sha256": sha256}, path, {"custom": custom}
            )
        path = f"rollout/{name}.json"
        rollout.signed.targets[path] = TargetFile(400, {"sha256": digest(name.encode())}, path)
    trees.sign(releases, trees.role_signers(tree.targets.signed, trees.RELEASES, keys))
    sign_rollout(tree, rollout, keys)
    changed = {trees.RELEASES: releases, trees.ROLLOUT: rollout}
    commit(published, keys, tree, changed, now)


def _release(folder: Path) -> Path:
    """A release of 1 MB, new, so that no release before it is a patch's base; and its verdict."""
    from edge_runtime import contract
    from edgefactory.registry import Finding, Verdict, write_verdict

    (folder / "blobs").mkdir(parents=True)

    def keep(data: bytes) -> contract.FileRef:
        (folder / "blobs" / contract.digest(data)).write_bytes(data)
        return contract.FileRef(contract.digest(data), len(data))

    files = {"model.onnx": keep(bytes(1 << 20))}
    data = contract.encode(
        contract.Release(
            schema="release/1",
            name="model-new",
            version="1.0.0",
            sequence=1,
            task="detection",
            labels=("person",),
            input=contract.InputSpec(64, 48),
            output=contract.OutputSpec(("boxes", "scores", "labels")),
            operating_point=contract.OperatingPoint(0.5, "by hand"),
            variants=(
                contract.Variant("onnx", "onnxruntime", "f32", ("cpu",), "model.onnx", files),
            ),
            golden=contract.Golden((), contract.Tolerance()),
            evidence=keep(b"{}"),
            lineage=contract.Lineage("0" * 64, "0" * 64, 0),
            card=keep(b"# new"),
        )
    )
    (folder / "release.json").write_bytes(data)
    finding = Finding("bound_to_bytes", "release", None, "every file", True)
    verdict = Verdict("verdict/1", contract.digest(data), "0" * 64, True, (finding,))
    write_verdict(verdict, folder / "verdict.json")
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    def handler(*args: object) -> _Quiet:
        return _Quiet(*args, directory=str(folder))  # type: ignore[arg-type]  # as it is called

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _refresh_ms(url: str, root: bytes, cache: Path) -> float:
    """CPU of this thread; the server's is not in it."""
    from edge_runtime.trust import Http, Marks, Origin
    from edge_runtime.trust.metadata import Catalogue

    started = time.thread_time()
    catalogue = Catalogue(Origin(url, Http(), cache), root, Marks())
    catalogue.refresh()
    catalogue.block("model-new")
    rollout = catalogue.rollout("model-new")
    catalogue.release(rollout.model, rollout.offer)
    found = (time.thread_time() - started) * 1000
    sys.stderr.write(f"refresh: {found:.0f} ms\n")
    return found
