"""`repo export` and `repo sync`: a tree onto a stick and into a bucket, by commands."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgefactory.pipelines import main
from edgefactory.registry import (
    RolloutSettings,
    create_keys,
    init_repository,
    publish,
    refresh,
)
from edgefactory.registry.bucket import open_bucket
from edgefactory.registry.tree import utc_now

from ..registry.buckets import bucket_server
from ..registry.conftest import make_line

pytestmark = pytest.mark.component

WHERE = "s3://bucket/models"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and a tree: one release, for the regions north and south."""
    folder = tmp_path_factory.mktemp("made")
    create_keys(folder / "keys")
    init_repository(folder / "published", folder / "keys")
    line = make_line(folder / "line", keys=folder / "keys")
    line.build()
    rollout = RolloutSettings(regions=("north", "south"))
    publish(line.release, line.verdict, folder / "keys", folder / "published", rollout)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's folder, with the online keys only."""
    shutil.copytree(made / "published", tmp_path / "published")
    (tmp_path / "keys").mkdir()
    for name in ("rollout", "snapshot", "timestamp"):
        shutil.copy(made / "keys" / f"{name}.pem", tmp_path / "keys")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bucket(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty bucket, to which AWS's tools are led."""
    with bucket_server(monkeypatch, here / "none"):
        yield


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `edgefactory`; what it said as JSON, or its only line on stderr when it failed."""

    def call(*arguments: str, code: int = 0) -> Any:
        capfd.readouterr()
        found = main(["--json", *arguments])
        said = capfd.readouterr()
        assert found == code, said.err
        if code == 0:
            return json.loads(said.out)
        (only,) = said.err.splitlines()
        return only

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_stick_for_a_region_twice_is_the_same_but_for_its_signature(
    here: Path, call: Call
) -> None:
    first = call("repo", "export", "--to", "stick", "--for", "north")
    assert (first["models"], first["group"]) == (["cctv-person"], "north")
    before = contents(here / "stick")
    assert call("repo", "export", "--to", "stick", "--for", "north") == first
    assert contents(here / "stick") == before
    assert json.loads(before["metadata/timestamp.json"])["signed"]["x-edgefactory-group"] == "north"
    published = contents(here / "published")
    assert {k: v for k, v in before.items() if k != "metadata/timestamp.json"}.items() <= (
        published.items()
    )


def test_a_bucket_gets_the_tree_and_twice_nothing(here: Path, bucket: None, call: Call) -> None:
    first = call("repo", "sync", WHERE)
    assert first["sent"] == first["files"] == len(contents(here / "published"))
    assert call("repo", "sync", WHERE) == {**first, "sent": 0}
    assert set(open_bucket(WHERE).sizes) == set(contents(here / "published"))
    refresh(here / "keys", here / "published")
    assert call("repo", "sync", WHERE)["sent"] == 3  # rollout, snapshot, timestamp


EXPORT = ("repo", "export", "--to", "stick", "--for")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((*EXPORT, "west"), 3, "no rollout in published is for the region 'west'"),
        ((*EXPORT, "north", "--published", "no"), 3, "no/metadata/1.root.json does not exist"),
        ((*EXPORT, "north", "--keys", "no"), 3, "timestamp.pem does not exist"),
        (("repo", "export", "--to", "a-file", "--for", "north"), 6, "a-file"),
        (("repo", "sync", "bucket/models"), 2, "expected s3://BUCKET/PREFIX"),
        (("repo", "sync", "s3:///models"), 2, "expected s3://BUCKET/PREFIX"),
        (("repo", "sync", "s3://other/models"), 3, "there is no bucket 'other'; make it"),
        (("repo", "sync", WHERE, "--published", "no"), 3, "no/metadata/1.root.json does not exist"),
    ],
)
def test_what_is_wrong_costs_one_line(
    here: Path, bucket: None, call: Call, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (here / "a-file").write_text("in the way")
    assert says in call(*arguments, code=code)
    assert not (here / "stick").exists()


def test_what_has_expired_goes_on_no_stick(here: Path, call: Call) -> None:
    refresh(here / "keys", here / "published", utc_now() - timedelta(days=8))
    assert "run repo refresh" in call(*EXPORT, "north", code=5)


def test_a_blob_that_changed_goes_on_no_stick(here: Path, call: Call) -> None:
    for path in (here / "published" / "blobs").iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert "expected" in call(*EXPORT, "north", code=5)
    assert not (here / "stick" / "metadata" / "timestamp.json").exists()


def test_an_old_copy_goes_in_no_bucket(here: Path, bucket: None, call: Call) -> None:
    shutil.copytree(here / "published", here / "old")
    refresh(here / "keys", here / "published")
    call("repo", "sync", WHERE)
    assert "it is an old copy" in call("repo", "sync", WHERE, "--published", "old", code=5)


def test_an_s3_that_does_not_answer_is_one_line(
    here: Path, bucket: None, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "S3 cannot be asked: Could not connect" in call("repo", "sync", WHERE, code=6)
