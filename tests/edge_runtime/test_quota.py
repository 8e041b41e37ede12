"""The state stays below its quota; what runs is never what gives way."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import FileRef, Release, digest, read
from edge_runtime.enrolment import Enrolment, enroll
from edge_runtime.errors import StorageError
from edge_runtime.running import active, open_active
from edge_runtime.state import Site, State
from edge_runtime.store import Contents, Journal, load_journal
from edge_runtime.store.quota import DEFAULT_BYTES, File, make_room, victims
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once

from .crashing import detector
from .publishing import Publisher
from .serving import Server

files = st.lists(
    st.tuples(st.integers(0, 100), st.floats(0, 1e9)), max_size=8, unique_by=lambda pair: pair[1]
).map(lambda pairs: [File(Path(str(n)), size, at) for n, (size, at) in enumerate(pairs)])


@given(
    loose=files, fixed=st.integers(0, 200), needed=st.integers(0, 200), limit=st.integers(0, 400)
)
def test_the_oldest_give_way_and_no_more_than_must(
    loose: list[File], fixed: int, needed: int, limit: int
) -> None:
    used = fixed + sum(file.bytes for file in loose)
    gone = victims(loose, used, needed, limit)
    if gone is None:
        assert fixed + needed > limit
        return
    left = used - sum(file.bytes for file in gone)
    assert left + needed <= limit
    assert list(gone) == sorted(loose, key=lambda file: file.at)[: len(gone)]
    assert not gone or left + gone[-1].bytes + needed > limit


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """Contents with a stray file, a begun fetch, an engine of nothing that is known."""
    found = Contents(tmp_path / "blobs", tmp_path / "partial")
    found.prepare()
    found.put(b"x" * 1000)
    (found.partial / "begun").write_bytes(b"y" * 500)
    found.built.mkdir()
    (found.built / f"{'0' * 16}-sm87.engine").write_bytes(b"z" * 500)
    return found


def test_what_nothing_needs_makes_room(contents: Contents) -> None:
    wanted = [FileRef(digest(b"new"), 1500)]
    make_room(contents, Journal(), wanted, quota=2000)
    left = sum(path.stat().st_size for path in contents.blobs.parent.rglob("*") if path.is_file())
    assert left <= 500


def test_a_compiled_model_gives_way_before_a_release_is_refused(contents: Contents) -> None:
    compiled = contents.built / "openvino" / "key.blob"
    compiled.parent.mkdir()
    compiled.write_bytes(b"c" * 5000)
    make_room(contents, Journal(), [FileRef(digest(b"new"), 1500)], quota=2000)
    assert not compiled.exists()


def test_what_fits_removes_nothing(contents: Contents) -> None:
    make_room(contents, Journal(), [FileRef(digest(b"new"), 1500)], quota=3500)
    assert (contents.partial / "begun").exists()


def test_what_cannot_fit_removes_nothing_and_says_so_in_a_line(contents: Contents) -> None:
    with pytest.raises(StorageError, match="needs 2001 bytes more, but the quota leaves 2000"):
        make_room(contents, Journal(), [FileRef(digest(b"new"), 2001)], quota=2000)
    assert (contents.partial / "begun").exists()


def test_a_begun_fetch_counts_for_what_it_has(contents: Contents) -> None:
    ref = FileRef(digest(b"new"), 1500)
    (contents.partial / ref.sha256).write_bytes(b"n" * 1400)
    make_room(contents, Journal(), [ref], quota=1500)
    assert (contents.partial / ref.sha256).exists()


def test_a_full_disk_bounds_what_the_quota_would_allow(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=100)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    with pytest.raises(StorageError, match="the disk leaves 2100"):
        make_room(contents, Journal(), [FileRef(digest(b"new"), 3000)], quota=10**9)


@pytest.mark.component
def test_a_site_keeps_two_releases_and_forgets_the_others(
    server: Server, publisher: Publisher, tmp_path: Path
) -> None:
    """Each model weighs 100 kB: the quota has room for three of them."""
    state = State(tmp_path / "state")
    enroll(state, Enrolment(server.url, "branch-0001", "north", publisher.root, 400_000))
    for sequence in (1, 2, 3, 4):
        publisher.publish(detector(sequence))
        once(state, Wish("squares"), lambda *_: None, Http(timeout=5))
        open_active(state, active(state, "squares"), threads=1)
        sizes = [path.lstat().st_size for path in state.folder.rglob("*") if path.is_file()]
        assert sum(sizes) <= 400_000
    slots = load_journal(state.journal).of("squares")
    assert slots.previous is not None
    assert slots.previous.sequence == 3
    previous = read(state.contents.path(slots.previous.release), Release)
    assert state.contents.holds(previous.variants[0].files["model.onnx"])
    first = detector(1).release.variants[0].files["model.onnx"]
    assert not state.contents.holds(first)


@pytest.mark.component
def test_a_release_that_cannot_fit_is_refused_before_it_is_fetched(
    server: Server, publisher: Publisher, tmp_path: Path
) -> None:
    state = State(tmp_path / "state")
    enroll(state, Enrolment(server.url, "branch-0001", "north", publisher.root, 150_000))
    publisher.publish(detector(1))
    once(state, Wish("squares"), lambda *_: None, Http(timeout=5))
    publisher.publish(detector(2))
    server.asked.clear()
    with pytest.raises(StorageError, match=r"the release needs .* but the quota leaves"):
        once(state, Wish("squares"), lambda *_: None, Http(timeout=5))
    assert not [path for path, _ in server.asked if path.startswith("/blobs/")]
    open_active(state, active(state, "squares"), threads=1)
    assert "the quota leaves" in load_journal(state.journal).of("squares").reason


def test_a_site_of_before_there_were_quotas_has_the_default(state: State) -> None:
    assert b"quota" not in state.site_file.read_bytes()
    assert state.site().quota == DEFAULT_BYTES
    assert Site("site/1", "a", "", "http://a", "", "", 5).quota == 5
