"""Patches from the files of the last releases to those of the next, where they pay.

INT8 weights that were trained on differ in many bytes, but by little: bsdiff finds that, and
chunking or compression does not. Float weights differ in every mantissa: a patch is as long as the
file, and takes a minute to find out, so none is tried.

The list of patches is a blob that the rollout's signed metadata names by digest: not the releases'
signature, since approvers need no blobs, and what a patch makes is held against that anyway.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tuf.api.metadata import TargetFile

from edge_runtime.contract import FileRef, Patch, Patches, Release, Rollout, digest, encode
from edgefactory.datasets.errors import TrustError
from edgefactory.registry.files import is_blob, parse, read_blob, read_bounded
from edgefactory.registry.gate import MAX_RELEASE_BYTES
from edgefactory.registry.history import every
from edgefactory.registry.tree import Tree

PAYS_BELOW = 0.6  # of the whole file
LAST_RELEASES = 3
SMALLEST = 4096  # bytes of a file; below it the answer's head weighs as much
LARGEST = 64 << 20  # bsdiff takes 17 times the file in memory, and minutes
MAX_PATCHES_BYTES = 4 << 20  # as the runtime's limit for a document


@dataclass(frozen=True)
class PatchSet:
    """The list as a blob, and the blobs of the patches, those that are not in the tree yet."""

    ref: FileRef
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    def custom(self) -> dict[str, object]:
        """How the rollout's target names the list."""
        return {"patches": msgspec.to_builtins(self.ref)}


def patch_set(
    published: Path, tree: Tree, release: Release, sha256: str, blobs: Path
) -> PatchSet | None:
    """The patches to the files of `release`, which lie in the folder `blobs`; None: none pays.

    Those that the tree has for this release already are taken over. Raises TrustError when a
    file is not what its digest says.
    """
    known = _known(published, tree, release.name, sha256)
    if known is not None:
        return PatchSet(known)
    patches, made = [], {}
    for base, result in sorted(set(_pairs(published, tree, release)), key=_digests):
        data = _patch(read_blob(published / "blobs" / base.sha256, base), blobs, result)
        if data is not None:
            made[digest(data)] = data
            patches.append(Patch(base, FileRef(digest(data), len(data)), result))
    if not patches:
        return None
    document = encode(Patches("patches/1", sha256, tuple(patches)))
    return PatchSet(FileRef(digest(document), len(document)), {**made, digest(document): document})


def patches_to(published: Path, tree: Tree, rollout: Rollout) -> PatchSet | None:
    """As `patch_set`, of the release in the tree that `rollout` names."""
    target = tree.releases.signed.targets.get(rollout.release_path)
    if target is None:
        raise TrustError(f"the rollout names {rollout.release_path}, which no role has signed")
    path = published / "targets" / target.get_prefixed_paths()[0]
    release = parse(read_bounded(path, MAX_RELEASE_BYTES), Release, str(path))
    return patch_set(published, tree, release, rollout.release, published / "blobs")


def listed(custom: object) -> FileRef | None:
    """The list that a rollout target's `custom` names. Raises InputError."""
    if not isinstance(custom, dict) or "patches" not in custom:
        return None
    return parse(encode(custom["patches"]), FileRef, "the rollout's list of patches")


def _known(published: Path, tree: Tree, model: str, sha256: str) -> FileRef | None:
    target = tree.rollout.signed.targets.get(f"rollout/{model}.json")
    ref = listed(target.unrecognized_fields.get("custom")) if target else None
    if ref is None or not is_blob(published / "blobs" / ref.sha256, ref):
        return None
    data = read_blob(published / "blobs" / ref.sha256, ref)
    return ref if parse(data, Patches, "the list of patches").release == sha256 else None


def _pairs(published: Path, tree: Tree, release: Release) -> Iterator[tuple[FileRef, FileRef]]:
    """Base and result of each file that an earlier release has under the same name."""
    for earlier in _earlier(published, tree, release):
        before = {variant.name: variant.files for variant in earlier.variants}
        for variant in (found for found in release.variants if found.precision == "int8"):
            for name, result in variant.files.items():
                base = before.get(variant.name, {}).get(name)
                if base is None or base == result:
                    continue
                fits = all(SMALLEST <= ref.bytes <= LARGEST for ref in (base, result))
                if fits and is_blob(published / "blobs" / base.sha256, base):
                    yield base, result


def _earlier(published: Path, tree: Tree, release: Release) -> Iterator[Release]:
    before = [
        past for past in every(published, tree, release.name) if past.sequence < release.sequence
    ]
    for past in before[: -LAST_RELEASES - 1 : -1]:
        target = TargetFile(past.bytes, {"sha256": past.release}, past.path(release.name))
        yield _release(published, target)


def _release(published: Path, target: TargetFile) -> Release:
    path = published / "targets" / target.get_prefixed_paths()[0]
    ref = FileRef(target.hashes["sha256"], target.length)
    return parse(read_blob(path, ref), Release, str(path))


def _patch(base: bytes, blobs: Path, result: FileRef) -> bytes | None:
    import bsdiff4

    data: bytes = bsdiff4.diff(base, read_blob(blobs / result.sha256, result))
    return data if len(data) < PAYS_BELOW * result.bytes else None


def _digests(pair: tuple[FileRef, FileRef]) -> tuple[str, str]:
    return pair[0].sha256, pair[1].sha256
