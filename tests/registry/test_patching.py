"""Patches are published where they pay, from the last releases, and named by signed metadata."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import FileRef, Patches
from edge_runtime.trust.bspatch import apply_patch
from edgefactory.datasets.errors import TrustError
from edgefactory.registry import RolloutSettings, init_repository, publish, verify_published
from edgefactory.registry.patching import LAST_RELEASES
from edgefactory.registry.tree import load_tree

from .conftest import Line, make_line

OTHER = np.random.default_rng(1).bytes(20_000)


def weights(step: int) -> bytes:
    """Weights as fine-tuning leaves them after `step` steps: each a little elsewhere."""
    first = np.frombuffer(np.random.default_rng(0).bytes(20_000), np.uint8)
    moved = np.random.default_rng(step).random(len(first)) < 0.02 * step
    return bytes(first + moved.astype(np.uint8))


class Tree:
    """A published tree and the lines whose releases go there."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.keys, self.published = folder, keys, folder / "published"
        self.root = init_repository(self.published, keys)

    def put(self, sequence: int, weights: bytes) -> Line:
        line = make_line(self.folder / str(sequence), weights, self.keys)
        line.build(f"0.{sequence}.0", sequence)
        self.again(line)
        return line

    def again(self, line: Line, rollout: RolloutSettings | None = None) -> bool:
        return publish(line.release, line.verdict, self.keys, self.published, rollout).changed

    def patches(self) -> Patches | None:
        target = load_tree(self.published).rollout.signed.targets["rollout/cctv-person.json"]
        named = target.unrecognized_fields.get("custom")
        if named is None:
            return None
        ref = msgspec.convert(named["patches"], FileRef)
        return msgspec.json.decode(self.blob(ref), type=Patches)

    def blob(self, ref: FileRef) -> bytes:
        return (self.published / "blobs" / ref.sha256).read_bytes()


@pytest.fixture
def tree(tmp_path: Path, keys: Path) -> Tree:
    """An empty tree."""
    return Tree(tmp_path, keys)


def test_a_first_release_has_no_patches(tree: Tree) -> None:
    tree.put(1, weights(0))
    assert tree.patches() is None


def test_each_patch_makes_the_new_file_of_the_old(tree: Tree) -> None:
    tree.put(1, weights(0))
    tree.put(2, weights(1))
    found = tree.patches()
    assert found is not None
    assert len(found.patches) == 2  # of each INT8 variant's weights; float ones differ everywhere
    for patch in found.patches:
        made = apply_patch(tree.blob(patch.base), tree.blob(patch.patch), patch.result.bytes)
        assert made == tree.blob(patch.result)
        assert patch.patch.bytes < 0.6 * patch.result.bytes
    verify_published(tree.published, tree.root)


def test_the_last_three_releases_have_patches_and_none_before(tree: Tree) -> None:
    for sequence in range(1, LAST_RELEASES + 3):
        tree.put(sequence, weights(sequence))
    found = tree.patches()
    assert found is not None
    results = {patch.result for patch in found.patches}
    assert len(found.patches) == LAST_RELEASES * len(results)


def test_a_patch_that_does_not_pay_is_not_published(tree: Tree) -> None:
    tree.put(1, weights(0))
    before = len(list((tree.published / "blobs").iterdir()))
    line = tree.put(2, OTHER)
    assert tree.patches() is None
    new = len(list((tree.published / "blobs").iterdir())) - before
    assert new <= len(list((line.release / "blobs").iterdir())) + 1  # and the verdict


def test_a_wider_rollout_keeps_the_patches_and_publishing_again_changes_nothing(
    tree: Tree,
) -> None:
    tree.put(1, weights(0))
    line = tree.put(2, weights(1))
    found = tree.patches()
    assert not tree.again(line)
    assert tree.again(line, RolloutSettings(bound=100))
    assert tree.patches() == found


def test_a_base_that_is_gone_has_no_patch(tree: Tree) -> None:
    line = tree.put(1, weights(0))
    for blob in (line.release / "blobs").iterdir():
        (tree.published / "blobs" / blob.name).unlink()
    tree.put(2, weights(1))
    assert tree.patches() is None


def test_a_patch_with_other_bytes_does_not_verify(tree: Tree) -> None:
    tree.put(1, weights(0))
    tree.put(2, weights(1))
    found = tree.patches()
    assert found is not None
    patch = found.patches[0].patch
    (tree.published / "blobs" / patch.sha256).write_bytes(bytes(patch.bytes))
    with pytest.raises(TrustError, match="other bytes"):
        verify_published(tree.published, tree.root)
