"""A tree in a bucket, on a real server of S3's API: whole at any instant, never two histories."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgefactory.datasets.errors import InputError, MissingError, StorageError, TrustError
from edgefactory.registry import init_repository, publish, refresh, sync, verify_published
from edgefactory.registry.bucket import Bucket, open_bucket

from .buckets import bucket_server
from .conftest import Line

pytestmark = pytest.mark.component

WHERE = "s3://bucket/models/tree"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty bucket, to which AWS's tools are led; a folder for what is read from it."""
    with bucket_server(monkeypatch, tmp_path / "none"):
        yield tmp_path / "read"


@pytest.fixture
def root(line: Line, keys: Path) -> Path:
    """The first root of a tree with one release."""
    line.build()
    root = init_repository(line.published, keys)
    put(line, keys)
    return root


def put(line: Line, keys: Path) -> None:
    publish(line.release, line.verdict, keys, line.published)


def read(folder: Path) -> Path:
    """All that is in the bucket now, in `folder`."""
    found = open_bucket(WHERE)
    for path in found.sizes:
        answer = found.read(path)
        assert answer is not None
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(answer[0])
    return folder


def sequence(folder: Path, root: Path) -> int:
    """What readers find, all of it verified."""
    (release,) = verify_published(read(folder), root).releases
    return release.sequence


def test_readers_find_the_tree_in_the_bucket(line: Line, root: Path, bucket: Path) -> None:
    first = sync(line.published, WHERE)
    assert first.sent == first.files
    assert verify_published(read(bucket), root) == verify_published(line.published, root)
    assert sync(line.published, WHERE).sent == 0


def test_a_kill_at_any_write_leaves_the_old_state_or_the_new(
    line: Line, root: Path, bucket: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(line.published, WHERE)
    line.build("0.2.0", 2)
    put(line, keys)
    ask = Bucket._ask
    died = 0

    class Killed(BaseException):
        pass

    for _ in range(100):
        done = [0]

        def dying(
            self: Bucket, operation: str, path: str, done: list[int] = done, **more: object
        ) -> Any:
            if operation == "put_object":
                done[0] += 1
                if done[0] > 1:  # one write more than the run before: it goes on from there
                    raise Killed
            return ask(self, operation, path, **more)

        with monkeypatch.context() as patch:
            patch.setattr(Bucket, "_ask", dying)
            try:
                sync(line.published, WHERE)
            except Killed:
                died += 1
            else:
                break
        assert sequence(bucket, root) == 1
    assert died > 5
    assert sequence(bucket, root) == 2
    assert sync(line.published, WHERE).sent == 0


def test_an_old_copy_does_not_go_over_a_newer_state(
    line: Line, root: Path, bucket: Path, keys: Path, tmp_path: Path
) -> None:
    shutil.copytree(line.published, tmp_path / "old")
    refresh(keys, line.published)
    sync(line.published, WHERE)
    with pytest.raises(TrustError, match="an old copy"):
        sync(tmp_path / "old", WHERE)


def test_two_histories_of_one_tree_do_not_mix(
    line: Line, root: Path, bucket: Path, keys: Path, tmp_path: Path
) -> None:
    shutil.copytree(line.published, tmp_path / "other")
    refresh(keys, line.published)
    sync(line.published, WHERE)
    line.build("0.2.0", 2)
    publish(line.release, line.verdict, keys, tmp_path / "other")
    with pytest.raises(TrustError, match="another tree was published there"):
        sync(tmp_path / "other", WHERE)
    assert sequence(bucket, root) == 1


def test_a_publisher_who_comes_between_is_noticed(
    line: Line,
    root: Path,
    bucket: Path,
    keys: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both looked at the same timestamp; the second to write it is told."""
    sync(line.published, WHERE)
    shutil.copytree(line.published, tmp_path / "other")
    refresh(keys, line.published)
    replace = Bucket.replace

    def late(self: Bucket, path: str, data: bytes, etag: str | None) -> None:
        monkeypatch.setattr(Bucket, "replace", replace)
        replace(self, path, data + b" ", etag)
        replace(self, path, data, etag)

    monkeypatch.setattr(Bucket, "replace", late)
    with pytest.raises(StorageError, match="written by another publisher meanwhile"):
        sync(line.published, WHERE)


def test_what_is_no_bucket_is_said(line: Line, root: Path, bucket: Path) -> None:
    with pytest.raises(InputError, match="no bucket"):
        sync(line.published, "/a/folder")
    with pytest.raises(MissingError, match="there is no bucket 'other'"):
        sync(line.published, "s3://other/tree")
