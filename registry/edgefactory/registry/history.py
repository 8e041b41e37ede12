"""Which releases sites can be told to run, and where those before them are remembered.

The `releases` metadata, which every site fetches and checks, names of each model its newest KEPT
releases and those that its rollout names. Older ones go to a document of the model, `history/1`,
which sites never ask for. Its digest stands in the signed entry of the model's newest release, so
the two signatures of that release are on it too.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from tuf.api.metadata import TargetFile, Targets

from edge_runtime.contract import Rollout, digest, encode
from edge_runtime.contract.release import Count, Name, Sha256, Version
from edgefactory.datasets.errors import TrustError
from edgefactory.registry.files import parse, read_bounded
from edgefactory.registry.tree import Tree

KEPT = 3  # newest releases of a model that sites can be told to run
MAX_HISTORY_BYTES = 4 << 20


class Past(Struct, frozen=True, forbid_unknown_fields=True):
    """One release that two have signed; `bytes` is the length of its release.json.

    Where there are `attestations`, they name the verdict.
    """

    version: Version
    sequence: Count
    release: Sha256
    bytes: Count
    verdict: Sha256 | UnsetType = UNSET
    attestations: Sha256 | UnsetType = UNSET

    def path(self, model: str) -> str:
        """Its TUF target, as long as it is or was one."""
        return f"releases/{model}/{self.version}/release.json"


class History(Struct, frozen=True, forbid_unknown_fields=True):
    """The releases of `model` that sites can no longer be told to run, the oldest first."""

    schema: Literal["history/1"]
    model: Name
    releases: tuple[Past, ...] = ()


@dataclass(frozen=True)
class Change:
    """Paths of targets that leave the metadata, and the history after it; None: it is empty."""

    gone: frozenset[str]
    document: bytes | None

    @property
    def sha256(self) -> str | None:
        """The document's digest, for the entry of the newest release."""
        return None if self.document is None else digest(self.document)


def listed(tree: Tree, model: str) -> list[Past]:
    """The releases of `model` that sites can be told to run, the oldest first."""
    targets = tree.releases.signed.targets.values()
    found = [_past(target) for target in targets if target.custom["model"] == model]
    return sorted(found, key=_sequence)


def read_history(published: Path, tree: Tree, model: str) -> History:
    """The history of `model`, empty when nothing has left the metadata yet.

    Raises TrustError when it is not the document that was signed, MissingError.
    """
    sha256 = named_by(newest(tree.releases.signed, model))
    if sha256 is None:
        return History("history/1", model)
    path = published / "targets" / file_of(model, sha256)
    return parse_history(read_bounded(path, MAX_HISTORY_BYTES), sha256, model)


def parse_history(data: bytes, sha256: str, model: str) -> History:
    """The history in `data`. Raises InputError, TrustError when it is not the one signed."""
    found = parse(data, History, f"the history of {model}")
    if digest(data) != sha256 or found.model != model:
        raise TrustError(f"the history of {model} is not {sha256[:12]}…, which was signed")
    return found


def newest(releases: Targets, model: str) -> TargetFile | None:
    """The signed entry of the newest release of `model`."""
    return max(
        (target for target in releases.targets.values() if target.custom["model"] == model),
        key=lambda target: int(target.custom["sequence"]),
        default=None,
    )


def named_by(target: TargetFile | None) -> str | None:
    """The digest of the history that the entry of a release names, if it names one."""
    custom = None if target is None else target.unrecognized_fields.get("custom")
    return custom.get("history") if isinstance(custom, dict) else None


def entry(target: TargetFile, history: str | None = None) -> TargetFile:
    """The signed entry of a release with all that sites need to carry, and `history`.

    Entries that were signed before named the verdict as well, which their attestations do, and
    each a history, where that of the newest is enough: 72 bytes packed that each site fetched.
    """
    stated = target.custom if isinstance(target.custom, dict) else {}
    custom = {key: value for key, value in stated.items() if key != "history"}
    if "attestations" in custom:
        custom.pop("verdict", None)
    if history is not None:
        custom["history"] = history
    return TargetFile(target.length, dict(target.hashes), target.path, {"custom": custom})


def file_of(model: str, sha256: str) -> str:
    """Where the history lies below `targets/`."""
    return f"releases/{model}/{sha256}.history.json"


def every(published: Path, tree: Tree, model: str) -> list[Past]:
    """All releases of `model` ever signed, the oldest first. Raises as `read_history`."""
    past = read_history(published, tree, model).releases
    return sorted([*past, *listed(tree, model)], key=_sequence)


def retirable(releases: Iterable[Past], model: str, rollout: Rollout | None) -> frozenset[str]:
    """Paths of those that are not among the newest, and that no site is told to run."""
    named: set[str] = set()
    if rollout is not None:
        offers = (rollout.offer, rollout.base)
        named = {offer.release_path for offer in offers if offer is not None}
    older = sorted(releases, key=_sequence)[:-KEPT]
    return frozenset({past.path(model) for past in older} - named)


def changed(history: History, releases: Iterable[Past], gone: AbstractSet[str]) -> Change:
    """`history` with those of `releases` whose paths are `gone`."""
    moved = [past for past in releases if past.path(history.model) in gone]
    past = tuple(sorted([*history.releases, *moved], key=_sequence))
    after = msgspec.structs.replace(history, releases=past)
    return Change(frozenset(gone), encode(after) if past else None)


def _past(target: TargetFile) -> Past:
    custom = target.custom
    return Past(
        version=str(custom["version"]),
        sequence=int(custom["sequence"]),
        release=target.hashes["sha256"],
        bytes=target.length,
        verdict=custom.get("verdict", UNSET),
        attestations=custom.get("attestations", UNSET),
    )


def _sequence(past: Past) -> int:
    return past.sequence
