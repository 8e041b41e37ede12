"""Publishing into a tree of 500 models with 20 releases each, and a site that reads it.

The tree's metadata and histories are real, and signed by all their thresholds; the releases named
in them are entries only, but for those of one model. `publish_seconds` is of that model's next
release, which moves an older one into its history, signatures included (wall); `publish_cpu_s` is
its CPU time.
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
from typing import TYPE_CHECKING, Final

from measured import Bound, Measured

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

SAYS = "publishing into a tree of 10,000 releases, and a site's refresh from it"

_MODELS: Final = 500
_RELEASES: Final = 20  # each


def run(_full: bool, /) -> Measured:
    """Make the tree, publish into it, read it."""
    from edgefactory.registry import create_keys, init_repository, publish
    from edgefactory.registry.history import KEPT

    with tempfile.TemporaryDirectory() as folder:
        published, keys = Path(folder) / "published", Path(folder) / "keys"
        create_keys(keys)
        root = init_repository(published, keys).read_bytes()
        fill(published, keys)
        for number in range(1, KEPT + 1):
            release = make_release(Path(folder) / str(number), number)
            attest(release, keys)
            publish(release, release / "verdict.json", keys, published)
        release = make_release(Path(folder) / "next", KEPT + 1)
        attest(release, keys)
        started, used = time.perf_counter(), time.process_time()
        publish(release, release / "verdict.json", keys, published)
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        with _served(published) as url:
            cold = _refresh_ms(url, root, Path(folder) / "cache")
            idle = _refresh_ms(url, root, Path(folder) / "cache")
        sizes = _sizes(published)
    metrics = {
        "publish_seconds": round(seconds, 3),
        "publish_cpu_s": round(cpu, 3),
        "client_cpu_ms": round(cold, 1),
        "idle_cpu_ms": round(idle, 1),
    }
    bounds = {"publish_seconds": Bound("at_most", 2.0), "client_cpu_ms": Bound("at_most", 150.0)}
    return Measured(metrics, bounds=bounds, peers={"metadata_bytes": sizes})


def _sizes(published: Path) -> dict[str, int]:
    """Bytes of each file of metadata that a new site reads."""
    from edgefactory.registry.tree import load_tree

    tree = load_tree(published)
    current = [f"{meta.version}.{name}" for name, meta in tree.meta.items()]
    current += [f"{tree.snapshot_version}.snapshot.json", "timestamp.json"]
    return {name: (published / "metadata" / name).stat().st_size for name in current}


def fill(published: Path, keys: Path, models: int = _MODELS) -> None:
    """Name the releases and rollouts of all models in one commit, as publishing them all would."""
    from tuf.api.metadata import TargetFile

    from edge_runtime.contract import digest
    from edgefactory.registry import tree as trees
    from edgefactory.registry.repository import commit, sign_rollout

    tree, now = trees.load_tree(published), trees.utc_now()
    releases = trees.next_version(tree.releases, trees.RELEASES, now)
    rollout = trees.next_version(tree.rollout, trees.ROLLOUT, now)
    for model in range(models):
        name = f"model-{model}"
        for target in _entries(published, name):
            releases.signed.targets[target.path] = target
        path = f"rollout/{name}.json"
        rollout.signed.targets[path] = TargetFile(400, {"sha256": digest(name.encode())}, path)
    trees.sign(releases, trees.role_signers(tree.targets.signed, trees.RELEASES, keys))
    sign_rollout(tree, rollout, keys)
    changed = {trees.RELEASES: releases, trees.ROLLOUT: rollout}
    commit(published, keys, tree, changed, now)


def _entries(published: Path, model: str) -> Iterator["TargetFile"]:
    """What is signed of a model with so many releases; its history is written."""
    from tuf.api.metadata import TargetFile

    from edge_runtime.contract import digest
    from edgefactory.registry import history

    def past(number: int) -> history.Past:
        # Each its own, or they would pack better than real ones.
        release, said = (digest(f"{model} {number} {what}".encode()) for what in "rs")
        return history.Past(f"0.{number}.0", number, release, 40_000, attestations=said)

    every = [past(number) for number in range(1, _RELEASES + 1)]
    gone = {one.path(model) for one in every[: -history.KEPT]}
    change = history.changed(history.History("history/1", model), every, gone)
    assert change.sha256 is not None
    assert change.document is not None
    file = published / "targets" / history.file_of(model, change.sha256)
    file.parent.mkdir(parents=True)
    file.write_bytes(change.document)
    for one in every[-history.KEPT :]:
        custom: dict[str, object] = {
            "model": model,
            "version": one.version,
            "sequence": one.sequence,
            "attestations": one.attestations,
        }
        path = one.path(model)
        target = TargetFile(one.bytes, {"sha256": one.release}, path, {"custom": custom})
        yield history.entry(target, change.sha256 if one == every[-1] else None)


def make_release(folder: Path, sequence: int) -> Path:
    """A release of 1 MB of floats, for which no patch is tried; and its verdict."""
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
            version=f"{sequence}.0.0",
            sequence=sequence,
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


def attest(release: Path, keys: Path) -> None:
    """Sign for the release in `release`, whose verdict lies beside it."""
    from edgefactory.registry import attest_release, attest_verdict
    from edgefactory.registry.keys import load_signer

    signer = load_signer(keys, "line")
    attest_release(release, signer)
    attest_verdict(release, release / "verdict.json", signer)


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
    from edge_runtime.trust import Marks
    from edge_runtime.trust.http import Http
    from edge_runtime.trust.metadata import Catalogue
    from edge_runtime.trust.origin import Origin

    started = time.thread_time()
    catalogue = Catalogue(Origin(url, Http(), cache), root, Marks())
    catalogue.refresh()
    catalogue.block("model-new")
    rollout = catalogue.rollout("model-new")
    catalogue.release(rollout.model, rollout.offer)
    found = (time.thread_time() - started) * 1000
    sys.stderr.write(f"refresh: {found:.0f} ms\n")
    return found
