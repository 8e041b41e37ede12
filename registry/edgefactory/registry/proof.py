"""Proof of a published tree, from the sites' root down to the last blob, and who signed it."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Key, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from edge_runtime.contract import Block, FileRef, Offer, Patches, Release, Rollout, digest
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import attestations, history
from edgefactory.registry.chain import KeyHolder, Papers, Step, steps
from edgefactory.registry.files import parse, read_bounded
from edgefactory.registry.gate import MAX_RELEASE_BYTES, Verdict, refuse
from edgefactory.registry.keys import owner
from edgefactory.registry.passed import MAX_VERDICT_BYTES
from edgefactory.registry.patching import MAX_PATCHES_BYTES, listed
from edgefactory.registry.tree import (
    MAX_METADATA_BYTES,
    RELEASES,
    ROLLOUT,
    S,
    delegated_roles,
    keys_of,
    load,
)

FOLDER_URL = "folder://tree/"
BLOCK_BYTES = 1 << 16


class SignedRole(Struct, frozen=True):
    """Metadata that verified: who signed it, of how many that are needed, and until when."""

    role: str
    version: int
    expires: datetime
    threshold: int
    keys: int
    signers: tuple[KeyHolder, ...]


class ProvenRelease(Struct, frozen=True):
    """A release that sites are told to run, with every blob and the gate's verdict checked.

    `blocked` says why no site runs it all the same; it is empty when nothing is against it.
    `before` is how many releases of the model were signed and have left the list for its history,
    `steps` is how it came to be, from the labels to the rollout.
    """

    model: str
    version: str
    sequence: int
    sha256: str
    verdict_sha256: str
    bound: int
    blobs: int
    bytes: int
    blocked: str = ""
    before: int = 0
    steps: tuple[Step, ...] = ()


class Chain(Struct, frozen=True):
    """The chain of trust as it was found: from the root's digest to the releases."""

    root_sha256: str
    roles: tuple[SignedRole, ...]
    releases: tuple[ProvenRelease, ...]


@dataclass(frozen=True)
class Signed:
    """The releases role: what it has signed, the keys that may sign it, and who has."""

    releases: Targets
    keys: tuple[Key, ...]
    people: tuple[KeyHolder, ...]


class FolderFetcher(FetcherInterface):
    """Fetches from a folder, for a tree that lies on a disk or a stick."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def _fetch(self, url: str) -> Iterator[bytes]:
        relative = PurePosixPath(unquote(urlsplit(url).path).lstrip("/"))
        path = (self._folder / relative).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise DownloadHTTPError(f"{relative} is not in {self._folder}", 404)
        return self._blocks(path)

    @staticmethod
    def _blocks(path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block


def verify_published(where: Path | str, root: Path) -> Chain:
    """Check all of the tree at `where` (a folder or an http(s) URL) against the trusted `root`.

    Metadata goes through the stock TUF client; then every rollout, the release that it names,
    each of that release's blobs and its verdict are checked. Raises TrustError for whatever does
    not verify, MissingError when the tree cannot be reached.
    """
    trusted = read_bounded(root, MAX_METADATA_BYTES)
    fetcher, base = _source(where)
    with tempfile.TemporaryDirectory(prefix="edgefactory-proof-") as scratch:
        folder = Path(scratch)
        try:
            return _prove(folder, fetcher, base, trusted)
        except DownloadError as error:
            if isinstance(error, DownloadHTTPError):
                raise TrustError(f"{where} is not whole: {error}") from error
            raise MissingError(f"{where} cannot be read: {error}") from error
        except (RepositoryError, ValueError) as error:
            raise TrustError(f"{where} does not verify: {error}") from error


def _source(where: Path | str) -> tuple[FetcherInterface, str]:
    if isinstance(where, str) and urlsplit(where).scheme in {"http", "https"}:
        return Urllib3Fetcher(), where.rstrip("/") + "/"
    folder = Path(where)
    if not folder.is_dir():
        raise InputError(f"{where} is neither a folder nor an http(s) URL")
    return FolderFetcher(folder), FOLDER_URL


def _prove(scratch: Path, fetcher: FetcherInterface, base: str, trusted: bytes) -> Chain:
    client = Updater(
        str(scratch / "metadata"),
        f"{base}metadata/",
        str(scratch / "targets"),
        f"{base}targets/",
        fetcher=fetcher,
        bootstrap=trusted,
    )
    (scratch / "targets").mkdir()
    client.refresh()
    # Asking for any path of a delegated role makes the client fetch and verify that role.
    client.get_targetinfo("rollout/any.json")
    client.get_targetinfo("releases/any/0.0.0/release.json")
    client.get_targetinfo("block/any.json")
    verified = {path.stem: path for path in (scratch / "metadata").glob("*.json")}
    rollouts = load(verified[ROLLOUT], Targets).signed.targets
    roles = tuple(_roles(verified))
    signed = Signed(
        load(verified[RELEASES], Targets).signed,
        tuple(keys_of(load(verified["targets"], Targets).signed, RELEASES)),
        next(role for role in roles if role.role == RELEASES).signers,
    )
    releases = tuple(
        _prove_rollout(client, (fetcher, base), signed, path) for path in sorted(rollouts)
    )
    return Chain(digest(trusted), roles, releases)


def _prove_rollout(
    client: Updater, source: tuple[FetcherInterface, str], signed: Signed, path: str
) -> ProvenRelease:
    fetcher, base = source
    named, data = _target(client, path)
    rollout = parse(data, Rollout, path)
    if rollout.base is not None:  # what the other sites run
        _prove_offer(client, source, signed, (rollout.model, rollout.base))
    release, papers = _prove_offer(client, source, signed, (rollout.model, rollout.offer))
    refs = release.files()
    blocked = _blocked(client, release, rollout.release)
    _prove_patches(fetcher, base, listed(named.unrecognized_fields.get("custom")), release)
    return ProvenRelease(
        model=release.name,
        version=release.version,
        sequence=release.sequence,
        sha256=rollout.release,
        verdict_sha256=digest(papers.judged.verdict),
        bound=rollout.bound,
        blobs=len(refs),
        bytes=sum(ref.bytes for ref in refs.values()),
        blocked=blocked,
        before=len(_history(fetcher, base, signed.releases, release.name).releases),
        steps=steps(papers, rollout, blocked),
    )


def _prove_offer(
    client: Updater,
    source: tuple[FetcherInterface, str],
    signed: Signed,
    named: tuple[str, Offer],
) -> tuple[Release, Papers]:
    """The release that a rollout of a model names, and what was said about it."""
    fetcher, base = source
    model, offer = named
    path = offer.release_path
    target, content = _target(client, path)
    if digest(content) != offer.release:
        raise TrustError(f"the rollout of {model} names a release that {path} is not")
    release = parse(content, Release, path)
    stated = (target.custom["model"], target.custom["version"], target.custom["sequence"])
    if stated != (release.name, release.version, release.sequence) or release.name != model:
        raise TrustError(f"{path} is signed as {stated}, which it is not")
    if release.sequence != offer.sequence:
        raise TrustError(f"the rollout of {model} gives {path} another sequence than it has")
    for ref in release.files().values():
        _blob(fetcher, base, ref)
    bundle = _bundle(fetcher, base, target)
    named_verdict = target.custom.get("verdict") or attestations.verdict_of(bundle or b"")
    verdict = _prove_verdict(fetcher, base, str(named_verdict), offer.release)
    judged = attestations.Judged(content, release, verdict)
    if bundle is None:
        return release, Papers(judged, (), signed.people)
    attested = attestations.look_at_bundle(bundle, judged, signed.keys)
    return release, Papers(judged, attested, signed.people)


def _history(fetcher: FetcherInterface, base: str, signed: Targets, model: str) -> history.History:
    sha256 = history.named_by(history.newest(signed, model))
    if sha256 is None:
        return history.History("history/1", model)
    url = f"{base}targets/{history.file_of(model, sha256)}"
    data = fetcher.download_bytes(url, history.MAX_HISTORY_BYTES)
    return history.parse_history(data, sha256, model)


def _blocked(client: Updater, release: Release, sha256: str) -> str:
    path = f"block/{release.name}.json"
    if client.get_targetinfo(path) is None:
        return ""
    _, data = _target(client, path)
    return parse(data, Block, path).against(release.sequence, sha256)


def _target(client: Updater, path: str) -> tuple[TargetFile, bytes]:
    target = client.get_targetinfo(path)
    if target is None:
        raise TrustError(f"no role has signed {path}")
    if target.length > MAX_RELEASE_BYTES:
        raise TrustError(f"{path} is stated to have {target.length} bytes")
    return target, Path(client.download_target(target)).read_bytes()


def _blob(fetcher: FetcherInterface, base: str, ref: FileRef) -> bytes:
    data = fetcher.download_bytes(f"{base}blobs/{ref.sha256}", ref.bytes)
    if len(data) != ref.bytes or digest(data) != ref.sha256:
        raise TrustError(f"blob {ref.sha256[:12]}… has other bytes than its name says")
    return data


def _prove_patches(
    fetcher: FetcherInterface, base: str, ref: FileRef | None, release: Release
) -> None:
    """Each patch is what was signed, and for a file of `release`. Sites check what it makes."""
    if ref is None:
        return
    if ref.bytes > MAX_PATCHES_BYTES:
        raise TrustError(f"the list of patches is stated to have {ref.bytes} bytes")
    document = parse(_blob(fetcher, base, ref), Patches, f"list of patches {ref.sha256[:12]}…")
    for patch in document.patches:
        if patch.result not in release.files().values():
            raise TrustError(f"patch {patch.patch.sha256[:12]}… is for no file of the release")
        _blob(fetcher, base, patch.patch)


def _bundle(fetcher: FetcherInterface, base: str, target: TargetFile) -> bytes | None:
    """Who stands for training, evaluation and gate; None for a release from before that."""
    sha256 = target.custom.get("attestations")
    if sha256 is None:
        return None
    data = fetcher.download_bytes(f"{base}blobs/{sha256}", attestations.MAX_BYTES)
    if digest(data) != sha256:
        raise TrustError(f"the attestations of {target.path} are not those signed")
    return data


def _prove_verdict(fetcher: FetcherInterface, base: str, sha256: str, release: str) -> bytes:
    data = fetcher.download_bytes(f"{base}blobs/{sha256}", MAX_VERDICT_BYTES)
    if digest(data) != sha256:
        raise TrustError(f"verdict {sha256[:12]}… has other bytes than its name says")
    verdict = parse(data, Verdict, f"verdict {sha256[:12]}…")
    if verdict.release != release:
        raise TrustError(f"verdict {sha256[:12]}… is about another release")
    refuse(verdict)
    return data


def _roles(verified: dict[str, Path]) -> Iterator[SignedRole]:
    root = load(verified["root"], Root)
    targets = load(verified["targets"], Targets)
    yield _role(root.signed, root, "root")
    yield _role(root.signed, load(verified["timestamp"], Timestamp), "timestamp")
    yield _role(root.signed, load(verified["snapshot"], Snapshot), "snapshot")
    yield _role(root.signed, targets, "targets")
    for role in delegated_roles(targets.signed):
        yield _role(targets.signed, load(verified[role], Targets), role)


def _role(delegator: Root | Targets, metadata: Metadata[S], role: str) -> SignedRole:
    result = delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    return SignedRole(
        role=role,
        version=metadata.signed.version,
        expires=metadata.signed.expires,
        threshold=result.threshold,
        keys=len(delegator.get_delegated_role(role).keyids),
        signers=tuple(sorted(map(_holder, result.signed.values()), key=lambda h: h.name)),
    )


def _holder(key: Key) -> KeyHolder:
    return KeyHolder(key.keyid, owner(key))
