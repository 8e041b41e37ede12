"""The rollout that is signed for a model, and how the next one gets into the tree."""

from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import TargetFile

from edge_runtime.contract import Offer, Rollout, digest, encode
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import parse, read_bounded, write_atomic
from edgefactory.registry.gate import BLOBS
from edgefactory.registry.history import listed, read_history
from edgefactory.registry.patching import patches_to
from edgefactory.registry.repository import commit, sign_rollout
from edgefactory.registry.tree import ROLLOUT, Tree

MAX_ROLLOUT_BYTES = 4 << 20
FOLDER = "rollout/"


def models(tree: Tree) -> tuple[str, ...]:
    """The models that have a rollout in `tree`."""
    paths = sorted(tree.rollout.signed.targets)
    return tuple(path.removeprefix(FOLDER).removesuffix(".json") for path in paths)


def current(published: Path, tree: Tree, model: str) -> Rollout | None:
    """The rollout of `model` that `tree` has signed; None when there is none.

    Raises TrustError when the document is not the one that was signed.
    """
    target = tree.rollout.signed.targets.get(path_of(model))
    if target is None:
        return None
    path = published / "targets" / target.get_prefixed_paths()[0]
    data = read_bounded(path, MAX_ROLLOUT_BYTES)
    try:
        target.verify_length_and_hashes(data)
    except RepositoryError as error:
        raise TrustError(f"{path} is not the rollout that was signed: {error}") from error
    return parse(data, Rollout, str(path))


def require(published: Path, tree: Tree, model: str) -> Rollout:
    """As `current`; MissingError when there is none."""
    rollout = current(published, tree, model)
    if rollout is None:
        known = ", ".join(models(tree)) or "none"
        raise MissingError(
            f"{published} has no rollout of {model} (there are: {known}); "
            f"`edgefactory promote {model}@VERSION` begins one"
        )
    return rollout


def signed_release(published: Path, tree: Tree, model: str, version: str) -> Offer:
    """The release of `model` that the releases role has signed as `version`.

    Raises MissingError when it has signed none of that version, or no longer lists it.
    """
    path = f"releases/{model}/{version}/release.json"
    target = tree.releases.signed.targets.get(path)
    if target is None:
        known = ", ".join(past.version for past in listed(tree, model)) or "none"
        if any(past.version == version for past in read_history(published, tree, model).releases):
            raise MissingError(
                f"{model}@{version} has left the list that sites read (there are: {known}); "
                "build its weights as a new release"
            )
        raise MissingError(
            f"no release {model}@{version} was signed (there are: {known}); publish it first"
        )
    return Offer(int(target.custom["sequence"]), target.hashes["sha256"], path)


def version_of(tree: Tree, offer: Offer) -> str:
    """What people call the release that `offer` names. Raises TrustError when it is not signed."""
    target = tree.releases.signed.targets.get(offer.release_path)
    if target is None or target.hashes["sha256"] != offer.release:
        raise TrustError(f"the rollout names {offer.release_path}, which no role has signed")
    return str(target.custom["version"])


def parse_name(text: str) -> tuple[str, str]:
    """Model and version of `MODEL@VERSION`. Raises InputError."""
    model, at, version = text.partition("@")
    if not (model and at and version):
        raise InputError(f"{text!r} is not MODEL@VERSION, as cctv-person@0.2.0")
    return model, version


def write(published: Path, keys: Path, tree: Tree, rollout: Rollout, now: datetime) -> None:
    """Sign `rollout` by the rollout key, and commit it. Needs the tree's lock."""
    document = encode(rollout)
    target = TargetFile.from_data(path_of(rollout.model), document, ["sha256"])
    patches = patches_to(published, tree, rollout)
    if patches is not None:
        target.unrecognized_fields["custom"] = patches.custom()
        for data in patches.blobs.values():
            write_atomic(published / BLOBS / digest(data), data)
    metadata = trees.next_version(tree.rollout, ROLLOUT, now)
    metadata.signed.targets[target.path] = target
    sign_rollout(tree, metadata, keys)
    write_atomic(published / "targets" / target.get_prefixed_paths()[0], document)
    commit(published, keys, tree, {ROLLOUT: metadata}, now)


def path_of(model: str) -> str:
    """The TUF target of the rollout of `model`."""
    return f"{FOLDER}{model}.json"
