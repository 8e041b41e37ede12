"""A file by a patch: fewer bytes where all is well, the whole file where anything is odd."""

import bz2
import contextlib
import logging
import struct
from pathlib import Path

import bsdiff4
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import FileRef, Patch, digest
from edge_runtime.errors import TrustError
from edge_runtime.state import State
from edge_runtime.store import Contents
from edge_runtime.trust.bspatch import apply_patch
from edge_runtime.trust.http import Http
from edge_runtime.trust.patching import fetch_by_patch
from edge_runtime.update import Wish, once
from edgefactory.registry.rollouts import Place, pause, resume

from .models import build, squares_onnx
from .registering import Registry
from .serving import Server

BASE = np.random.default_rng(0).bytes(50_000)
OTHER = BASE[:30_000] + bytes(100) + BASE[30_100:]
NEW = BASE[:20_000] + b"changed" + BASE[20_000:]


def ref(data: bytes) -> FileRef:
    return FileRef(digest(data), len(data))


def patch_file(
    triples: list[tuple[int, int, int]], diff: bytes, extra: bytes, length: int
) -> bytes:
    """A BSDIFF40 file of just this; negative numbers as it writes them."""

    def number(value: int) -> bytes:
        return struct.pack("<Q", abs(value) | (value < 0) << 63)

    control = bz2.compress(b"".join(number(value) for triple in triples for value in triple))
    packed = bz2.compress(diff)
    sizes = b"".join(map(number, (len(control), len(packed), length)))
    return b"BSDIFF40" + sizes + control + packed + bz2.compress(extra)


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_what_bsdiff_makes_of_any_two_files_is_applied(base: bytes, new: bytes) -> None:
    assert apply_patch(base, bsdiff4.diff(base, new), len(new)) == new


def test_a_seek_back_in_the_base_is_followed() -> None:
    patch = patch_file([(3, 1, -3), (3, 0, 0)], bytes(6), b"-", 7)
    assert apply_patch(b"abc", patch, 7) == b"abc-abc"


@given(st.integers(0, 300), st.integers(0, 255))
def test_a_changed_byte_makes_other_bytes_or_an_error(place: int, value: int) -> None:
    patch = bytearray(bsdiff4.diff(BASE[:500], BASE[100:700]))
    patch[place % len(patch)] = value
    with contextlib.suppress(TrustError):
        assert len(apply_patch(BASE[:500], bytes(patch), 600)) == 600


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (b"", "not a BSDIFF40"),
        (b"BSDIFF41" + bytes(24), "not a BSDIFF40"),
        (patch_file([(4, 0, 0)], bytes(4), b"", 4)[:-1], "breaks off"),
        (patch_file([(4, 0, 0)], bytes(4), b"", 4) + b"more", "goes on"),
        (patch_file([(4, 0, 0)], bytes(4), b"", 5), "states sizes"),
        (patch_file([(4, 0, 0)], bytes(1 << 26), b"", 4), "more than 4 bytes"),
        (patch_file([(0, 4, 0)], b"", bytes(1 << 26), 4), "more than 4 bytes"),
        (patch_file([(0, 0, 0)] * 99_999, bytes(4), b"", 4), "more than 192 bytes"),
        (patch_file([(4, 0, 0)], bytes(3), b"", 4), "comes to 3 bytes"),
        (patch_file([(5, -1, 0)], bytes(4), b"", 4), "more than it brings"),
        (patch_file([(2, 0, 3), (2, 0, 0)], bytes(4), b"", 4), "outside of the base"),
        (patch_file([(2, 0, -9), (2, 0, 0)], bytes(4), b"", 4), "outside of the base"),
        (patch_file([(2, 0, 0)], bytes(4), b"", 4), "makes 2 bytes"),
    ],
)
def test_a_hostile_patch_is_refused_in_bounded_memory(patch: bytes, says: str) -> None:
    with pytest.raises(TrustError, match=says):
        apply_patch(b"base", patch, 4)


class Fetching:
    """A site that holds BASE, a server that has a patch to NEW, and NEW itself."""

    def __init__(self, server: Server, folder: Path, patch: bytes) -> None:
        self.server, self.patch = server, Patch(ref(BASE), ref(patch), ref(NEW))
        self.blobs = server.folder / "blobs"
        self.blobs.mkdir()
        (self.blobs / digest(patch)).write_bytes(patch)
        self.contents = Contents(folder / "blobs", folder / "partial")
        self.contents.prepare()
        self.contents.put(BASE)

    def __call__(self) -> bool:
        blobs = f"{self.server.url}/blobs"
        done = fetch_by_patch(Http(5), blobs, self.patch.result, [self.patch], self.contents)
        assert done == self.contents.holds(self.patch.result)
        assert list(self.contents.partial.iterdir()) == []
        return done


def test_a_patch_makes_the_file(server: Server, tmp_path: Path) -> None:
    fetch = Fetching(server, tmp_path, bsdiff4.diff(BASE, NEW))
    assert fetch()
    assert len(server.asked) == 1


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the runtime says, however loud a command before has set the logs."""
    caplog.set_level(logging.WARNING, "edge_runtime")
    return caplog


def said(caplog: pytest.LogCaptureFixture) -> str:
    """The one line that was logged."""
    (record,) = [found for found in caplog.records if found.levelno >= logging.WARNING]
    return record.getMessage()


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (bsdiff4.diff(OTHER, NEW), "it makes a file with SHA-256"),  # of another base
        (
            bsdiff4.diff(BASE, NEW[:-1] + b"?"),
            "it makes a file with SHA-256",
        ),  # valid, wrong result
        (patch_file([(len(NEW), 0, 0)], bytes(1 << 26), b"", len(NEW)), "unpacks to more"),
        (bsdiff4.diff(BASE, NEW)[:-9], "breaks off"),
    ],
    ids=["wrong base", "wrong result", "bomb", "truncated"],
)
def test_a_patch_that_was_signed_and_is_wrong_makes_nothing(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, patch: bytes, says: str
) -> None:
    fetch = Fetching(server, tmp_path, patch)
    assert not fetch()
    assert says in said(caplog)


def test_a_missing_patch_makes_nothing(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetch = Fetching(server, tmp_path, bsdiff4.diff(BASE, NEW))
    (fetch.blobs / fetch.patch.patch.sha256).unlink()
    assert not fetch()
    assert "404" in said(caplog)


def test_a_patch_that_was_changed_on_the_server_is_not_decoded(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetch = Fetching(server, tmp_path, bsdiff4.diff(BASE, NEW))
    (fetch.blobs / fetch.patch.patch.sha256).write_bytes(bsdiff4.diff(BASE, NEW[::-1]))
    assert not fetch()
    assert "longer than" in said(caplog)


def test_a_damaged_base_is_not_patched(server: Server, tmp_path: Path) -> None:
    fetch = Fetching(server, tmp_path, bsdiff4.diff(BASE, NEW))
    fetch.contents.path(ref(BASE)).write_bytes(BASE[::-1])
    assert not fetch()
    assert server.asked == []


def test_a_patch_that_is_no_shorter_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    fetch = Fetching(server, tmp_path, bytes(len(NEW)))
    assert not fetch()
    assert server.asked == []


def large(gain: float) -> bytes:
    """The detector with a comment as long as weights would be."""
    model = onnx.load_from_string(squares_onnx(gain=gain))
    model.doc_string = BASE.hex()
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.component
@pytest.mark.parametrize("harm", ["none", "list", "patch"])
def test_a_site_goes_from_one_release_to_the_next(
    registry: Registry, site: State, server: Server, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry.publish(build(1, {"onnx-int8": large(1.0)}))
    once(site, Wish("squares"), lambda *_: None)
    before = {path.name for path in (registry.published / "blobs").iterdir()}
    newer = registry.publish(build(2, {"onnx-int8": large(1.001)}))
    model = newer.variants[0].files["model.onnx"]
    made = [
        path
        for path in (registry.published / "blobs").iterdir()
        if path.name not in before | set(newer.files())
    ]
    (patch,) = [path for path in made if path.read_bytes().startswith(b"BSDIFF40")]
    (named,) = [path for path in made if b'"patches/1"' in path.read_bytes()]
    if harm != "none":
        {"list": named, "patch": patch}[harm].write_bytes(b"?")
    server.asked.clear()
    assert once(site, Wish("squares"), lambda *_: None).outcome == "activated"
    asked = [path.removeprefix("/blobs/") for path, _ in server.asked if "/blobs/" in path]
    assert (model.sha256 in asked) == (harm != "none")
    if harm == "none":
        assert asked == [named.name, patch.name]
    else:
        said(caplog)


@pytest.mark.component
def test_patches_stay_when_the_rollout_changes(
    registry: Registry, site: State, server: Server
) -> None:
    registry.publish(build(1, {"onnx-int8": large(1.0)}))
    once(site, Wish("squares"), lambda *_: None)
    newer = registry.publish(build(2, {"onnx-int8": large(1.001)}))
    place = Place(registry.published, registry.keys)
    assert pause(place, "squares").changed
    assert resume(place, "squares").changed
    server.asked.clear()
    assert once(site, Wish("squares"), lambda *_: None).outcome == "activated"
    whole = newer.variants[0].files["model.onnx"].sha256
    assert not [path for path, _ in server.asked if whole in path]
