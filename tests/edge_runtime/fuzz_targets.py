"""The targets of the fuzzing: every document and picture that reaches a site from outside.

To add one, write a function that returns a Target and list it in TARGETS and SHARES.
"""

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bsdiff4
import msgspec
import numpy as np
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from edge_runtime.contract import (
    Block,
    BlockedRelease,
    Decisions,
    FileRef,
    Offer,
    Patch,
    Patches,
    Release,
    Report,
    Rollout,
    SignedReport,
    Tolerance,
    decode,
    disagreement,
    encode,
    offered,
    takes_part,
)
from edge_runtime.contract.sealing import peek, public_hex, seal, verify
from edge_runtime.proof import candidates, golden_pictures
from edge_runtime.store import Contents, Journal, ModelSlots, load_journal, save_journal
from edge_runtime.store.journal import copies
from edge_runtime.streams.sources import read_picture
from edge_runtime.trust import Marks, ModelMark, RoleMark, highwater
from edge_runtime.trust.bspatch import apply_patch
from edge_runtime.trust.metadata import Catalogue, check_root
from edge_runtime.trust.origin import Origin
from edge_runtime.trust.stick import URL, Stick

from .fuzz_server import server
from .fuzzing import Target
from .models import build, png, scene, squares_onnx
from .registering import Registry
from .serving import Server

ZERO = "0" * 64


def release(_: Path) -> Target:
    """A signed release.json, up to the choice of a variant and a comparison of decisions."""
    built = build(1, {"onnx-fp32": squares_onnx(), "onnx-int8": squares_onnx(gain=1.001)})

    def attempt(_: int, data: bytes) -> None:
        found = decode(data, Release, "release.json")
        candidates(found, ("cpu",))
        found.files()
        for golden in found.golden.cases:
            for expected in golden.expected.values():
                some = Decisions((0,), (0.9,), ((0.0, 0.0, 8.0, 8.0),))
                disagreement(
                    expected, some, found.operating_point.score_threshold, found.golden.tolerance
                )
                disagreement(some, expected, 0.5, Tolerance())

    return Target("release", [built.data], attempt)


def rollout(_: Path) -> Target:
    """A rollout, up to what it offers to a site, and the marks that it raises."""
    offer = Offer(1, ZERO, "releases/squares/1.0.0/release.json")
    plain = Rollout("rollout/1", "squares", 2, "1" * 64, "releases/squares/2.0.0/release.json", 99)
    full = msgspec.structs.replace(plain, edition=3, base=offer, sites=("a",), regions=("north",))

    def attempt(_: int, data: bytes) -> None:
        found = decode(data, Rollout, "rollout.json")
        offered(found, takes_part(found, "branch-0001", "cpu", "north"), 1)
        marks = highwater.raise_edition(Marks(), found.model, found.edition)
        marks = highwater.raise_floor(marks, found.model, found.floor)
        highwater.raise_model(marks, found.model, found.sequence, found.release, found.known)

    return Target("rollout", [encode(plain), encode(full)], attempt)


def block(_: Path) -> Target:
    """A block list, and the marks that it raises."""
    listed = Block("block/1", "squares", (BlockedRelease(ZERO, "bad"),), 4, "old")

    def attempt(_: int, data: bytes) -> None:
        marks = highwater.raise_block(Marks(), decode(data, Block, "block.json"))
        encode(marks)

    return Target("block", [encode(listed)], attempt)


def patches(_: Path) -> Target:
    """A list of patches."""
    ref = FileRef(ZERO, 5)
    listed = Patches("patches/1", ZERO, (Patch(ref, ref, ref),))

    def attempt(_: int, data: bytes) -> None:
        decode(data, Patches, "patches.json")

    return Target("patches", [encode(listed)], attempt)


def report(_: Path) -> Target:
    """A report of an outbox, from which a journal would be rebuilt."""
    key = Ed25519PrivateKey.generate()
    said = Report(
        "report/1", "a", 1, 1, "squares", ("cpu",), 1, ZERO, ZERO, None, {}, "active", "ok"
    )

    def attempt(_: int, data: bytes) -> None:
        signed = decode(data, SignedReport, "a report")
        peek(signed)
        verify(signed, public_hex(key))

    return Target("report", [encode(seal(said, key))], attempt)


def kept(folder: Path) -> Target:
    """The site's own journal and marks, damaged on disk."""
    path = folder / "slots.json"
    journal = Journal(models={"squares": ModelSlots(reason="old")})
    save_journal(path, journal)
    one, two = copies(path)
    two.unlink()
    marks = Marks(roles={"root": RoleMark(1, "")}, models={"squares": ModelMark(1, ZERO, 1)})
    highwater.save(folder, marks)
    (folder / "marks.b.json").unlink()
    places = (one, folder / "marks.a.json", path)

    def attempt(index: int, data: bytes) -> None:
        place = places[index]
        place.write_bytes(data)
        try:
            if index == 1:
                highwater.load(folder)
            else:
                load_journal(path)
        finally:
            place.unlink()

    corpus = [one.read_bytes(), places[1].read_bytes(), encode(journal)]
    for place in (one, places[1]):
        place.unlink()
    return Target("kept", corpus, attempt)


class Memory(Stick):
    """Documents by their URL."""

    def __init__(self, folder: Path, documents: dict[str, bytes]) -> None:
        super().__init__(folder)
        self._documents = documents

    def open(self, url: str, first: int = 0) -> urllib3.BaseHTTPResponse:
        data = self._documents.get(url)
        body = io.BytesIO(data[first:] if data else b"")
        status = 404 if data is None else 200
        return urllib3.HTTPResponse(body=body, status=status, preload_content=False)


def metadata(folder: Path) -> Target:
    """All documents of a published tree, each damaged in turn, through the real client."""
    (folder / "tree").mkdir()
    server = Server(folder / "tree")
    server.server_close()
    registry = Registry(server, folder / "factory")
    registry.publish(build(1))
    root = (registry.published / "metadata" / "1.root.json").read_bytes()
    names = sorted(
        path.relative_to(registry.published)
        for kind in ("metadata", "targets")
        for path in (registry.published / kind).rglob("*.json")
    )
    good = {f"{URL}/{name}": (registry.published / name).read_bytes() for name in names}
    urls = list(good)
    cache = folder / "cache"

    def attempt(index: int, data: bytes) -> None:
        url = urls[index].replace("1.root.json", "2.root.json")
        shutil.rmtree(cache, ignore_errors=True)
        origin = Origin(URL, Memory(folder, {**good, url: data}), cache)
        catalogue = Catalogue(origin, root, Marks(roles={"root": RoleMark(1, "")}))
        catalogue.refresh()
        catalogue.block("squares")
        found = catalogue.rollout("squares")
        catalogue.release("squares", found.offer)
        catalogue.patches(found)

    return Target("metadata", list(good.values()), attempt)


def root(folder: Path) -> Target:
    """The root of trust that a site is enrolled with."""
    server = Server(folder)
    server.server_close()
    registry = Registry(server, folder / "factory")
    data = registry.root.read_bytes()
    return Target("root", [data], lambda _, data: check_root(data, "the root"))


@dataclass(frozen=True)
class _Held(Contents):
    """Contents that hold one file under any name."""

    data: bytes = b""

    def read(self, ref: FileRef) -> bytes:
        return self.data


def golden(folder: Path) -> Target:
    """A golden picture of a release."""
    found = build(1).release
    pictures = [png(scene((8, 8))), png(scene())]

    def attempt(_: int, data: bytes) -> None:
        golden_pictures(found, _Held(folder, folder, data=data))

    return Target("golden", pictures, attempt)


def picture(folder: Path) -> Target:
    """A camera's picture: JPEG or PNG of several kinds."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    corpus = []
    for mode in ("RGB", "L", "CMYK"):
        for progressive in (False, True):
            file = io.BytesIO()
            Image.fromarray(noise).convert(mode).save(file, "JPEG", progressive=progressive)
            corpus.append(file.getvalue())
    for mode in ("RGB", "RGBA", "P", "1", "I;16"):
        file = io.BytesIO()
        grey = Image.fromarray(noise).convert("L")
        made = grey.convert("I").convert(mode) if mode == "I;16" else grey.convert(mode)
        made.save(file, "PNG")
        corpus.append(file.getvalue())
    path = folder / "picture"

    def attempt(_: int, data: bytes) -> None:
        path.write_bytes(data)
        read_picture(path)

    return Target("picture", corpus, attempt)


def patch(_: Path) -> Target:
    """A binary patch."""
    rng = np.random.default_rng(0)
    base = rng.bytes(3000)
    new = base[:1000] + rng.bytes(50) + base[900:]
    corpus = [bsdiff4.diff(base, new), bsdiff4.diff(base[::-1], new)]
    return Target("patch", corpus, lambda _, data: apply_patch(base, data, len(new)))


def stick(folder: Path) -> Target:
    """Paths on a stick, whose documents may name anything: what lies beside it is never read."""
    inside = folder / "stick"
    (inside / "metadata").mkdir(parents=True)
    (inside / "metadata" / "timestamp.json").write_bytes(b"inside")
    (folder / "secret").write_bytes(b"secret")
    (inside / "out").symlink_to(folder / "secret")
    (inside / "loop").symlink_to(inside / "loop")
    corpus = [b"metadata/timestamp.json", b"../secret", b"out", b"loop/x", b"metadata", b"/etc/x"]
    source = Stick(inside)

    def attempt(_: int, data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        if source.get(f"{URL}/{text}", 100) != b"inside":
            raise AssertionError("what lies beside the stick was read")

    return Target("stick", corpus, attempt)


TARGETS: tuple[Callable[[Path], Target], ...] = (
    *(release, rollout, block, patches, report, kept, metadata, root, golden, picture, patch),
    *(stick, server),
)

SHARES = {
    "release": 110_000,
    "rollout": 100_000,
    "block": 80_000,
    "patches": 80_000,
    "report": 60_000,
    "kept": 50_000,
    "metadata": 10_000,  # each is a whole refresh
    "root": 20_000,
    "golden": 80_000,
    "picture": 110_000,
    "patch": 50_000,
    "stick": 50_000,
    "server": 200_000,
}
"""How many of a million cases each target gets."""


@contextmanager
def opened(make: Callable[[Path], Target], folder: Path) -> Iterator[Target]:
    """The target in a folder of its own under `folder`, which is removed at the end."""
    place = folder / make.__name__
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    target = make(place)
    try:
        yield target
    finally:
        target.close()
        shutil.rmtree(place, ignore_errors=True)
