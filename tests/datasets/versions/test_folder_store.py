"""Versions in a folder: pushed once, found again, whole to the byte, and readable by stock DVC."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets import snapshot_digest
from edgefactory.datasets.errors import InputError, MissingError, StorageError, TrustError
from edgefactory.datasets.versions import (
    Store,
    default_store,
    find_version,
    open_store,
    pull,
    push,
    write_dvc_file,
)
from edgefactory.datasets.versions.store import store_errors

from ..snapshots import content, item, seen, write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return write(tmp_path / "snapshot", [item(n, seen()) for n in range(5)])


def objects(store: Store) -> list[Path]:
    return sorted(path for path in Path(store.root, "files", "md5").rglob("*") if path.is_file())


def test_what_is_pulled_is_what_was_pushed(store: Store, snapshot: Path, tmp_path: Path) -> None:
    pushed = push(snapshot, store, "the first")
    assert (pushed.files, pushed.sent) == (6, 6)
    record = find_version(store, "toy")
    assert record == pushed.record
    assert (record.version.note, record.version.pictures) == ("the first", 5)
    assert pull(record, store, tmp_path / "back") == 6
    for path in snapshot.rglob("*"):
        back = tmp_path / "back" / path.relative_to(snapshot)
        assert back.is_dir() if path.is_dir() else back.read_bytes() == path.read_bytes()


def test_pushing_again_changes_nothing(store: Store, snapshot: Path) -> None:
    first = push(snapshot, store, "one")
    before = objects(store)
    again = push(snapshot, store, "two")
    assert (again.sent, again.record) == (0, first.record)
    assert objects(store) == before
    assert len(store.records()) == 1


def test_pictures_in_common_are_stored_once(store: Store, snapshot: Path, tmp_path: Path) -> None:
    push(snapshot, store)
    newer = write(tmp_path / "newer", [item(n) for n in range(6)])
    assert push(newer, store).sent == 2  # a picture and the manifest
    digests = [record.version.sha256 for record in store.records()]
    assert digests[0] == snapshot_digest(newer)
    assert find_version(store, "toy").version.sha256 == digests[0]
    assert find_version(store, digests[1][:8]).version.sha256 == snapshot_digest(snapshot)


def test_a_broken_push_is_no_version_and_goes_on(store: Store, snapshot: Path) -> None:
    push(snapshot, store)
    Path(store.root, "versions", f"{snapshot_digest(snapshot)}.dvc").unlink()
    lost = next(path for path in objects(store) if path.read_bytes() == content(3))
    lost.unlink()
    assert store.records() == ()
    assert push(snapshot, store).sent == 1
    assert len(store.records()) == 1


def test_a_broken_pull_goes_on(store: Store, snapshot: Path, tmp_path: Path) -> None:
    record = push(snapshot, store).record
    lost = next(path for path in objects(store) if path.read_bytes() == content(3))
    lost.rename(tmp_path / "lost")
    with pytest.raises(MissingError, match=r"the store .* lacks"):
        pull(record, store, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    waiting = tmp_path / ".back.pull"
    manifest = waiting / "manifest.jsonl"
    manifest.write_bytes((snapshot / "manifest.jsonl").read_bytes())
    (waiting / "images" / "stranger.jpg").write_bytes(b"left by another")
    (tmp_path / "lost").rename(lost)
    assert pull(record, store, tmp_path / "back") < 6
    assert snapshot_digest(tmp_path / "back") == record.version.sha256
    assert len(list((tmp_path / "back" / "images").iterdir())) == 5
    assert not waiting.exists()


@pytest.mark.parametrize("which", ["picture", "tree", "manifest"])
def test_other_bytes_than_the_digest_says_are_refused(
    store: Store, snapshot: Path, tmp_path: Path, which: str
) -> None:
    record = push(snapshot, store).record
    known = {"picture": content(3), "manifest": (snapshot / "manifest.jsonl").read_bytes()}
    (changed,) = (
        path
        for path in objects(store)
        if (path.suffix == ".dir" if which == "tree" else path.read_bytes() == known[which])
    )
    changed.chmod(0o644)
    changed.write_bytes(b"[]" if which == "tree" else b"something else")
    with pytest.raises(TrustError, match="has other bytes than its"):
        pull(record, store, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("path", ["../evil", "images/../../evil", "/etc/passwd", "images/a.jpg"])
def test_a_tree_that_names_other_files_is_refused(
    store: Store, snapshot: Path, tmp_path: Path, path: str
) -> None:
    record = push(snapshot, store).record
    tree = msgspec.json.encode([{"md5": "0" * 32, "relpath": path}])
    name = hashlib.md5(tree, usedforsecurity=False).hexdigest()
    planted = Path(store.root, "files", "md5", name[:2], f"{name[2:]}.dir")
    planted.parent.mkdir(exist_ok=True)
    planted.write_bytes(tree)
    out = msgspec.structs.replace(record.out, md5=f"{name}.dir")
    with pytest.raises(InputError, match="is not the tree of a snapshot"):
        pull(msgspec.structs.replace(record, outs=(out,)), store, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_picture_with_other_bytes_is_not_pushed(store: Store, snapshot: Path) -> None:
    picture = snapshot / item(3).file
    picture.write_bytes(b"something else")
    with pytest.raises(InputError, match=picture.name):
        push(snapshot, store)
    assert store.records() == ()


def test_a_version_that_is_not_there_says_what_is(store: Store, snapshot: Path) -> None:
    with pytest.raises(MissingError, match="it holds nothing"):
        find_version(store, "toy")
    push(snapshot, store)
    with pytest.raises(MissingError, match="no version 'tyo'; it holds toy"):
        find_version(store, "tyo")


def test_a_record_that_is_none_is_refused(store: Store, snapshot: Path) -> None:
    push(snapshot, store)
    (record,) = Path(store.root, "versions").iterdir()
    record.write_bytes(b"outs: []")
    with pytest.raises(InputError, match="is not a record"):
        store.records()


def test_a_folder_that_holds_something_else_is_not_replaced(
    store: Store, snapshot: Path, tmp_path: Path
) -> None:
    record = push(snapshot, store).record
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    with pytest.raises(InputError, match="it is not replaced"):
        pull(record, store, tmp_path / "mine")


def test_what_a_store_raises_becomes_one_line() -> None:
    with pytest.raises(StorageError, match="the store s3://x refused"), store_errors("s3://x"):
        raise PermissionError("Access Denied")
    with pytest.raises(StorageError, match="the store s3://x failed"), store_errors("s3://x"):
        raise OSError("anything")
    with pytest.raises(MissingError, match="cannot be used: refused"), store_errors("s3://x"):
        raise ConnectionRefusedError("refused\nindeed")


def test_a_kind_of_store_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="the store nothing://here is not one"):
        open_store("nothing://here")


def test_a_store_whose_package_is_not_installed_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dvc_s3", None)
    with pytest.raises(MissingError, match="'dvc-s3' to be installed"):
        open_store("s3://bucket/prefix")


def test_the_default_store_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGEFACTORY_STORE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_store() == str(tmp_path / "edgefactory" / "store")
    monkeypatch.setenv("EDGEFACTORY_STORE", "s3://bucket/prefix")
    assert default_store() == "s3://bucket/prefix"


@pytest.mark.component
def test_stock_dvc_pulls_it(store: Store, snapshot: Path, tmp_path: Path) -> None:
    record = push(snapshot, store).record
    repository = tmp_path / "repository"
    write_dvc_file(record, repository / "data.dvc")
    environment = {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "config"),
        "DVC_SITE_CACHE_DIR": str(tmp_path / "cache"),
    }
    for arguments in (
        ("init", "--no-scm", "--quiet"),
        ("remote", "add", "--default", "store", store.where),
        ("pull", "--quiet"),
    ):
        subprocess.run(
            [sys.executable, "-m", "dvc", *arguments], cwd=repository, env=environment, check=True
        )
    assert snapshot_digest(repository / "data") == record.version.sha256
    assert (repository / "data" / item(3).file).read_bytes() == content(3)


def test_a_file_that_dvc_would_not_read_is_refused(store: Store, snapshot: Path) -> None:
    with pytest.raises(InputError, match=r"end in \.dvc"):
        write_dvc_file(push(snapshot, store).record, Path("data.yaml"))
