"""From the trusted root to a release: the chain of signatures, by `tuf.ngclient`.

`tuf.ngclient` verifies the metadata; what it cannot know (what this box saw before its cache was
lost, and how late it is at least) comes from `trust.highwater`, which is asked after every
refresh and before any target is used. Targets are fetched by our own `Http`, and once only.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from securesystemslib.exceptions import StorageError as MetadataStorageError
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import (
    Delegations,
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.ngclient import Updater, UpdaterConfig

from edge_runtime import durable
from edge_runtime.contract import (
    Block,
    FileRef,
    Offer,
    Patch,
    Patches,
    Release,
    Rollout,
    decode,
    digest,
)
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError, TrustError
from edge_runtime.state import MAX_ROOT_BYTES
from edge_runtime.trust.documents import Documents
from edge_runtime.trust.fetcher import Fetcher
from edge_runtime.trust.highwater import (
    Marks,
    RoleMark,
    check_clock,
    check_roles,
    raise_roles,
)
from edge_runtime.trust.origin import GROUP_FIELD, Origin
from edge_runtime.trust.unchanged import MAX_TIMESTAMP_BYTES, KnownTimestamp

log = logging.getLogger(__name__)

MAX_TARGET_BYTES = 4 * 1024 * 1024

T = TypeVar("T")
_M = TypeVar("_M", Root, Timestamp, Snapshot, Targets)


def check_root(data: bytes, source: str) -> int:
    """The version of the root metadata `data`, once its own keys vouch for it.

    Raises InputError when it is not root metadata, TrustError when it is not signed by its own
    threshold of keys.
    """
    try:
        root = Metadata[Root].from_bytes(data)
    except RepositoryError as error:
        raise InputError(f"{source} is not TUF metadata: {_line(error)}") from error
    if not isinstance(root.signed, Root):
        raise InputError(f"{source} is {root.signed.type} metadata; expected root metadata")
    try:
        root.signed.verify_delegate(Root.type, root.signed_bytes, root.signatures)
    except RepositoryError as error:
        raise TrustError(f"{source} is not signed by its own keys: {_line(error)}") from error
    return root.signed.version


class Catalogue:
    """What is published for this site, as far as signatures and high-water marks vouch for it.

    `root` are the bytes that the site was enrolled with. `marks` rises as metadata verifies; the
    caller saves it.
    """

    def __init__(
        self,
        origin: Origin,
        root: bytes,
        marks: Marks,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.marks = marks
        self._origin = origin
        self._folder = origin.cache
        self._root = root
        self._url = origin.url.rstrip("/")
        self._source = origin.source
        self._now = now
        self._known = KnownTimestamp(origin.cache)
        self._documents = Documents(origin.cache / "documents")
        self._updater: Updater | None = None
        self._delegations = Delegations({}, {})
        self._stated: dict[str, RoleMark] = {}

    def refresh(self) -> None:
        """Fetch and verify the newest metadata, and raise the marks by it.

        Raises MissingError when the server cannot be reached, TrustError when anything does not
        verify, has expired, is older than what was seen before, or the clock stands too early.
        """
        check_clock(self.marks, self._now())
        durable.make_folder(self._folder)
        fetcher = Fetcher(self._source, f"{self._url}/metadata/")
        known = self._known.load()
        if known is not None and self._lives(known[1]) and _ask(lambda: fetcher.unchanged(*known)):
            try:
                self._believe(fetcher)
            except (MissingError, TrustError) as error:
                log.warning("what is cached does not hold, asking for all of it: %s", error)
                fetcher = Fetcher(self._source, f"{self._url}/metadata/")
            else:
                return
        self._believe(fetcher)
        self._known.keep(*fetcher.timestamp)

    def _lives(self, timestamp: bytes) -> bool:
        """Whether the cached timestamp has not expired by the box's clock, which was checked."""
        try:
            expires = Metadata[Timestamp].from_bytes(timestamp).signed.expires
        except RepositoryError:
            return False
        return self._now() < expires.timestamp()

    def _believe(self, fetcher: Fetcher) -> None:
        """Verify what comes by `fetcher`, and raise the marks by it."""
        with durable.storage(self._folder):
            self._updater = _ask(lambda: self._start(fetcher))
        self._check_group()
        self.marks = raise_roles(self.marks, self._top_marks(), self._now())
        self._stated = self._stated_marks()
        check_roles(self.marks, self._stated)

    def block(self, model: str) -> Block | None:
        """The signed block list of `model`; None when there is none, or no role to sign one."""
        path = f"block/{model}.json"
        info = self._info(path)
        if info is None:
            return None
        block = decode(self._verified(info, path, f"block {model}"), Block, path)
        if block.model != model:
            raise TrustError(f"{path} speaks of model {block.model}")
        return block

    def rollout(self, model: str) -> Rollout:
        """The signed rollout of `model`. Raises MissingError when none is published."""
        path = f"rollout/{model}.json"
        rollout = decode(self._target(path, f"rollout {model}"), Rollout, path)
        if rollout.model != model:
            raise TrustError(f"{path} speaks of model {rollout.model}")
        return rollout

    def release(self, model: str, offer: Offer) -> tuple[Release, bytes]:
        """The signed release that a rollout of `model` offers, and its bytes. Raises TrustError."""
        data = self._target(offer.release_path, f"release {model}")
        if digest(data) != offer.release:
            raise TrustError(
                f"the rollout names release {offer.release[:12]}…, but "
                f"{offer.release_path} is signed as {digest(data)[:12]}…"
            )
        release = decode(data, Release, offer.release_path)
        if (release.name, release.sequence) != (model, offer.sequence):
            raise TrustError(
                f"{offer.release_path} is sequence {release.sequence} of {release.name}; the "
                f"rollout names sequence {offer.sequence} of {model}"
            )
        return release, data

    def patches(self, rollout: Rollout) -> tuple[Patch, ...]:
        """The patches to files of the release that `rollout` names; none in older trees.

        The rollout's signature names the list. What a patch makes is held against the release's
        own signatures all the same. Raises MissingError, TrustError or ContractError.
        """
        path = f"rollout/{rollout.model}.json"
        info = self._info(path)
        custom = info.unrecognized_fields.get("custom") if info else None
        if not isinstance(custom, dict) or "patches" not in custom:
            return ()
        try:
            ref = msgspec.convert(custom["patches"], FileRef)
        except msgspec.ValidationError as error:
            raise TrustError(f"{path}: its list of patches is no file: {error}") from error
        if ref.bytes > MAX_TARGET_BYTES:
            raise TrustError(f"{path}: its list of patches is too long, {ref.bytes} bytes")
        data = self._source.get(f"{self._url}/blobs/{ref.sha256}", ref.bytes)
        if digest(data) != ref.sha256:
            raise TrustError(f"the list of patches {ref.sha256[:12]}… is not what was signed")
        found = decode(data, Patches, f"the list of patches {ref.sha256[:12]}…")
        if found.release != rollout.release:
            raise TrustError(f"the list of patches {ref.sha256[:12]}… is for another release")
        return found.patches

    def _start(self, fetcher: Fetcher) -> Updater:
        updater = Updater(
            str(self._folder),
            fetcher.base,
            fetcher=fetcher,
            config=UpdaterConfig(
                root_max_length=MAX_ROOT_BYTES, timestamp_max_length=MAX_TIMESTAMP_BYTES
            ),
            bootstrap=self._root,
        )
        updater.refresh()
        return updater

    def _check_group(self) -> None:
        """Raise TrustError unless the timestamp was signed for the way that it came."""
        found = self._cached(Timestamp).unrecognized_fields.get(GROUP_FIELD)
        wanted = self._origin.group
        if found == wanted:
            return
        self._updater = None
        durable.remove(self._folder / "timestamp.json")  # else it would hide the server's
        if wanted is None:
            raise TrustError(f"{self._url} offers the metadata of a stick, made for {found!r}")
        made_for = "no stick at all" if found is None else f"a stick for {found!r}"
        raise TrustError(f"this is {made_for}; the site's group is {wanted!r}")

    def _target(self, path: str, name: str) -> bytes:
        info = self._info(path)
        if info is None:
            raise MissingError(f"{self._url} publishes no {path}; is the model's name right?")
        return self._verified(info, path, name)

    def _info(self, path: str) -> TargetFile | None:
        """What was signed as `path`; the role that answers for it has now been verified."""
        if self._updater is None:
            raise TrustError("metadata must be refreshed before targets are asked for")
        updater = self._updater
        with durable.storage(self._folder):
            info = _ask(lambda: updater.get_targetinfo(path))
        roles = [name for name, _ in self._delegations.get_roles_for_target(path)]
        asked = {role: self._stated[role] for role in roles if role in self._stated}
        self.marks = raise_roles(self.marks, asked, self._now())
        return info

    def _verified(self, info: TargetFile, path: str, name: str) -> bytes:
        """The document at `path`, as it was signed; kept as `name`."""
        folder, _, file = path.rpartition("/")
        ref = FileRef(info.hashes["sha256"], info.length)
        url = f"{self._url}/targets/{folder}/{ref.sha256}.{file}"
        if ref.bytes > MAX_TARGET_BYTES:
            raise TrustError(f"{url} is signed with {ref.bytes} bytes; too long for a document")
        kept = self._documents.read(name, ref)
        if kept is not None:
            return kept
        data = self._source.get(url, ref.bytes)
        try:
            info.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise TrustError(f"{url} is not what was signed: {_line(error)}") from error
        self._documents.keep(name, data)
        return data

    def _top_marks(self) -> dict[str, RoleMark]:
        """Version and keys of each top-level role, all of which have just been verified."""
        root = self._cached(Root)
        versions = {
            Timestamp.type: self._cached(Timestamp).version,
            Snapshot.type: self._cached(Snapshot).version,
            Targets.type: self._cached(Targets).version,
        }
        found = {role: RoleMark(v, _keys(root.roles[role])) for role, v in versions.items()}
        return {Root.type: RoleMark(root.version, ""), **found}

    def _stated_marks(self) -> dict[str, RoleMark]:
        """Version and keys of each delegated role, as the snapshot states it.

        TUF holds the role to that version when it is fetched. Until then it is the word of the
        snapshot's key: enough to refuse an old one, not enough to raise a mark.
        """
        self._delegations = self._cached(Targets).delegations or Delegations({}, {})
        meta = self._cached(Snapshot).meta
        return {
            role: RoleMark(meta[f"{role}.json"].version, _keys(delegation))
            for role, delegation in (self._delegations.roles or {}).items()
            if f"{role}.json" in meta
        }

    def _cached(self, kind: type[_M]) -> _M:
        path = self._folder / f"{kind.type}.json"
        data = durable.read(path, MAX_TARGET_BYTES, f"{kind.type} metadata")
        signed: _M = _ask(lambda: Metadata[_M].from_bytes(data)).signed
        return signed


def _ask(question: Callable[[], T]) -> T:
    """Ask tuf, and say its errors in our words."""
    try:
        return question()
    except DownloadHTTPError as error:
        raise MissingError(
            f"{error}; is the URL the base of a published tree (metadata/, targets/, blobs/)?"
        ) from error
    except DownloadError as error:
        if isinstance(error.__cause__, EdgeRuntimeError):
            raise error.__cause__ from error
        raise TrustError(f"metadata cannot be fetched: {_line(error)}") from error
    except RepositoryError as error:
        raise TrustError(f"metadata does not verify: {_line(error)}") from error
    except MetadataStorageError as error:
        raise TrustError(f"cached metadata cannot be read: {_line(error)}") from error


def _keys(role: object) -> str:
    keyids: list[str] = sorted(getattr(role, "keyids"))  # noqa: B009 - Role and DelegatedRole
    return digest(msgspec.json.encode([keyids, getattr(role, "threshold")]))  # noqa: B009


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
