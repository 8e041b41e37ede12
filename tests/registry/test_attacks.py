"""A hostile repository: what was changed, cut, replayed or signed by too few is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Metadata, MetaFile, TargetFile, Targets

from edge_runtime.contract import Release, encode
from edgefactory.datasets.errors import EdgefactoryError, TrustError
from edgefactory.registry import create_keys, init_repository, publish, verify_published
from edgefactory.registry.keys import load_signer
from edgefactory.registry.repository import commit
from edgefactory.registry.tree import (
    RELEASES,
    ROLLOUT,
    Tree,
    load_tree,
    next_version,
    sign,
    utc_now,
)

from .conftest import Line


@pytest.fixture
def root(line: Line, keys: Path) -> Path:
    """A published release; its repository's first root, as a site keeps it."""
    line.build()
    root = init_repository(line.published, keys)
    publish(line.release, line.verdict, keys, line.published)
    kept = line.folder / "root.json"
    shutil.copyfile(root, kept)
    return kept


def signed_by(
    line: Line, keys: Path, role: str, names: list[str], change: Callable[[Tree], Targets]
) -> None:
    """Commit a changed role that was signed by `names`, whatever its threshold."""
    tree = load_tree(line.published)
    before: Metadata[Targets] = tree.releases if role == RELEASES else tree.rollout
    metadata = next_version(before, role, utc_now())
    metadata.signed.targets = change(tree).targets
    sign(metadata, [load_signer(keys, name) for name in names])
    commit(line.published, keys, tree, {role: metadata}, utc_now())


def test_a_flipped_bit_in_any_file_is_refused(line: Line, root: Path) -> None:
    published = verify_published(line.published, root)
    snapshot = json.loads((line.published / "metadata" / "timestamp.json").read_bytes())
    current = snapshot["signed"]["meta"]["snapshot.json"]["version"]
    old = {f"{n}.snapshot.json" for n in range(1, current)} | {"1.releases.json", "1.rollout.json"}
    files = [p for p in line.published.rglob("*") if p.is_file() and p.name not in old]
    assert len(files) >= 12
    for path in files:
        good = path.read_bytes()
        middle = len(good) // 2
        path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
        if path.name != "1.root.json":  # the site has its own
            with pytest.raises(EdgefactoryError):
                verify_published(line.published, root)
        path.write_bytes(good[:middle])
        if path.name != "1.root.json":
            with pytest.raises(EdgefactoryError):
                verify_published(line.published, root)
        path.write_bytes(good)
    assert verify_published(line.published, root) == published


def test_the_publisher_does_not_build_on_what_was_changed(
    line: Line, root: Path, keys: Path
) -> None:
    path = line.published / "metadata" / "2.releases.json"
    path.write_bytes(path.read_bytes().replace(b'"sequence":1', b'"sequence":0'))
    line.build("0.2.0", 2)
    with pytest.raises(TrustError, match="not the file that the metadata names"):
        publish(line.release, line.verdict, keys, line.published)


@pytest.mark.parametrize(
    "names", [["line"], ["approver"], ["line", "line"], ["line", "rollout"], ["root-1", "root-2"]]
)
def test_a_release_signed_by_too_few_is_refused(
    line: Line, root: Path, keys: Path, names: list[str]
) -> None:
    signed_by(line, keys, RELEASES, names, lambda tree: tree.releases.signed)
    with pytest.raises(TrustError, match="releases was signed by"):
        verify_published(line.published, root)


def test_the_rollout_key_cannot_sign_a_release(line: Line, root: Path, keys: Path) -> None:
    """Its own release.json under its own role: no site ever looks for it there."""
    evil = b'{"evil": true}'
    target = TargetFile.from_data("releases/cctv-person/6.6.6/release.json", evil, ["sha256"])

    def add(tree: Tree) -> Targets:
        signed = tree.rollout.signed
        signed.targets[target.path] = target
        (name,) = [path for path in signed.targets if path.startswith("rollout/")]
        document = json.loads(
            next((line.published / "targets" / "rollout").glob("*.json")).read_bytes()
        )
        document |= {"release": target.hashes["sha256"], "release_path": target.path}
        data = encode(document)
        pointer = TargetFile.from_data(name, data, ["sha256"])
        signed.targets[name] = pointer
        for item, content in ((pointer, data), (target, evil)):
            path = line.published / "targets" / item.get_prefixed_paths()[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return signed

    signed_by(line, keys, ROLLOUT, [ROLLOUT], add)
    with pytest.raises(TrustError, match="no role has signed"):
        verify_published(line.published, root)


def test_a_release_whose_sequence_is_not_the_signed_one_is_refused(
    line: Line, root: Path, keys: Path
) -> None:
    (path,) = (line.published / "targets" / "releases").rglob("*.release.json")
    release = msgspec.json.decode(path.read_bytes(), type=Release)
    assert release.sequence == 1

    def lie(tree: Tree) -> Targets:
        for target in tree.releases.signed.targets.values():
            target.unrecognized_fields["custom"]["sequence"] = 99
        return tree.releases.signed

    signed_by(line, keys, RELEASES, ["line", "approver"], lie)
    with pytest.raises(TrustError, match="which it is not"):
        verify_published(line.published, root)


def test_metadata_of_two_states_does_not_mix(line: Line, root: Path, keys: Path) -> None:
    old = (line.published / "metadata" / "2.releases.json").read_bytes()
    line.build("0.2.0", 2)
    publish(line.release, line.verdict, keys, line.published)
    (line.published / "metadata" / "3.releases.json").write_bytes(old)
    with pytest.raises(TrustError, match="does not verify"):
        verify_published(line.published, root)


def test_the_roots_of_somebody_else_are_refused(line: Line, root: Path, tmp_path: Path) -> None:
    create_keys(tmp_path / "theirs")
    theirs = init_repository(tmp_path / "tree", tmp_path / "theirs")
    with pytest.raises(TrustError, match="does not verify"):
        verify_published(line.published, theirs)


def test_a_link_out_of_the_tree_is_not_followed(line: Line, root: Path) -> None:
    (blob, *_) = sorted((line.published / "blobs").iterdir())
    outside = line.folder / "outside"
    blob.rename(outside)
    blob.symlink_to(outside)
    with pytest.raises(TrustError, match="not whole"):
        verify_published(line.published, root)


def test_a_snapshot_that_forgets_a_role_is_refused(line: Line, root: Path, keys: Path) -> None:
    tree = load_tree(line.published)
    meta: dict[str, MetaFile] = {k: v for k, v in tree.meta.items() if k != "releases.json"}
    forgetful = dataclasses.replace(tree, meta=meta)
    commit(line.published, keys, forgetful, {}, utc_now())
    with pytest.raises(TrustError):
        verify_published(line.published, root)
    with pytest.raises(TrustError, match="does not name"):
        load_tree(line.published)
