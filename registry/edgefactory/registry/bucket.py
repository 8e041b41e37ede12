"""A published tree into a bucket of any S3 API, in an order that readers find whole at any instant.

The order is the tree's own (see `tree`): blobs, targets, versioned metadata, `timestamp.json`, and
roots that are new. What is there is never overwritten but the timestamp, and that only while it is
the one that was looked at: of two machines that publish at once, one is told so.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Timestamp

from edgefactory.datasets.errors import InputError, MissingError, StorageError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import locked, read_bounded
from edgefactory.registry.tree import Tree

_TIMESTAMP = "metadata/timestamp.json"
_FOREVER = "public, max-age=31536000, immutable"  # its name says its content or version
_FRESH = "no-cache"  # asked for anew each time; the ETag makes that cheap


@dataclass(frozen=True)
class Synced:
    """How many files were sent of how many; no file: the bucket had them all."""

    sent: int
    files: int


@dataclass
class Bucket:
    """The objects below a prefix, and how they are reached; `sizes` is what was there at first."""

    client: Any  # botocore makes its clients' classes when it runs
    name: str
    prefix: str
    sizes: Mapping[str, int] = field(default_factory=dict)

    def read(self, path: str) -> tuple[bytes, str] | None:
        """The object at `path`, of bounded length, and its ETag; None when there is none."""
        if path not in self.sizes:
            return None
        if self.sizes[path] > trees.MAX_METADATA_BYTES:
            raise TrustError(f"{path} in the bucket has {self.sizes[path]} bytes; too long")
        answer = self._ask("get_object", path)
        return answer["Body"].read(trees.MAX_METADATA_BYTES), answer["ETag"]

    def create(self, path: str, file: Path) -> None:
        """Put `file` at `path`, where nothing is. StorageError: now there is."""
        with file.open("rb") as body:
            self._ask("put_object", path, Body=body, IfNoneMatch="*", CacheControl=_FOREVER)

    def replace(self, path: str, data: bytes, etag: str | None) -> None:
        """Put `data` at `path` in the place of the object with `etag`; None: where nothing is."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        self._ask("put_object", path, Body=data, CacheControl=_FRESH, **condition)

    def _ask(self, operation: str, path: str, **more: object) -> Any:
        return _ask(self.client, operation, Bucket=self.name, Key=f"{self.prefix}{path}", **more)


def sync(published: Path, where: str) -> Synced:
    """Bring the bucket at `where` (s3://bucket/prefix) to the state of the tree in `published`.

    S3 is reached as AWS's tools reach it. A sync that was cut off goes on where it stopped. Raises
    MissingError (no S3 client, no bucket), TrustError when the bucket holds a later state or that
    of another tree, StorageError when another publisher came between or S3 says no.
    """
    bucket = open_bucket(where)
    with locked(published):
        tree = trees.load_tree(published)
        before = bucket.read(_TIMESTAMP)
        _require_earlier(before[0] if before else None, tree)
        _require_same(bucket, published, tree)
        first, roots = _files(published)
        sent = 0
        for path in first:
            sent += _create(bucket, published, path)
        data = read_bounded(published / _TIMESTAMP, trees.MAX_METADATA_BYTES)
        if before is None or before[0] != data:
            bucket.replace(_TIMESTAMP, data, before[1] if before else None)
            sent += 1
        for path in roots:
            sent += _create(bucket, published, path)
    return Synced(sent, len(first) + 1 + len(roots))


def open_bucket(where: str) -> Bucket:
    """The bucket at `where`, as it is now. Raises as `sync`."""
    parts = urlsplit(where)
    if parts.scheme != "s3" or not parts.netloc:
        raise InputError(f"{where!r} is no bucket; expected s3://BUCKET/PREFIX")
    try:
        session = importlib.import_module("botocore.session")
    except ImportError:
        raise MissingError("S3 needs botocore; pip install 'edgefactory[s3]'") from None
    client = session.get_session().create_client("s3")
    prefix = f"{parts.path.strip('/')}/".lstrip("/")
    bucket = Bucket(client, parts.netloc, prefix)
    return Bucket(client, bucket.name, prefix, dict(_listed(bucket)))


def _listed(bucket: Bucket) -> Iterator[tuple[str, int]]:
    more: dict[str, object] = {}
    while True:
        page = _ask(
            bucket.client, "list_objects_v2", Bucket=bucket.name, Prefix=bucket.prefix, **more
        )
        for found in page.get("Contents", ()):
            yield found["Key"].removeprefix(bucket.prefix), found["Size"]
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _ask(client: Any, operation: str, **arguments: object) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    key = arguments.get("Key", "")
    try:
        return getattr(client, operation)(**arguments)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"PreconditionFailed", "ConditionalRequestConflict", "412"}:
            raise StorageError(
                f"{key} was written by another publisher meanwhile; run it again"
            ) from error
        if code == "NoSuchBucket":
            raise MissingError(f"there is no bucket {arguments['Bucket']!r}; make it") from error
        raise StorageError(f"S3 refuses {operation} {key}: {error}") from error
    except BotoCoreError as error:
        raise StorageError(f"S3 cannot be asked: {error}") from error


def _require_earlier(data: bytes | None, tree: Tree) -> None:
    if data is None:
        return
    try:
        there = Metadata[Timestamp].from_bytes(data).signed.version
    except RepositoryError as error:
        raise TrustError(f"{_TIMESTAMP} in the bucket is no timestamp: {error}") from error
    if there > tree.timestamp_version:
        raise TrustError(
            f"the bucket has timestamp version {there}, and this tree {tree.timestamp_version}: it "
            "is an old copy; publish from the newest"
        )


def _require_same(bucket: Bucket, published: Path, tree: Tree) -> None:
    """Raise TrustError when the bucket has other bytes under a name of the current metadata."""
    current = [f"{meta.version}.{name}" for name, meta in tree.meta.items()]
    current += [f"{tree.snapshot_version}.snapshot.json", f"{tree.root.signed.version}.root.json"]
    for name in (*current, trees.ROOT_FILE):
        path = f"metadata/{name}"
        there = bucket.read(path)
        if there and there[0] != read_bounded(published / path, trees.MAX_METADATA_BYTES):
            raise TrustError(
                f"{path} in the bucket has other bytes: another tree was published there; use "
                "another prefix"
            )


def _files(published: Path) -> tuple[list[str], list[str]]:
    """What goes before the timestamp, in order, and the roots that go after it."""
    found: list[str] = []
    for folder in ("blobs", "targets", "metadata"):
        paths = sorted((published / folder).rglob("*"))
        found += [
            str(path.relative_to(published))
            for path in paths
            if path.is_file() and not path.name.startswith(".")
        ]
    found.remove(_TIMESTAMP)
    late = [path for path in found if path.endswith(".root.json")]
    late.remove(f"metadata/{trees.ROOT_FILE}")
    return [path for path in found if path not in late], late


def _create(bucket: Bucket, published: Path, path: str) -> bool:
    size = (published / path).stat().st_size
    there = bucket.sizes.get(path)
    if there is None:
        bucket.create(path, published / path)
    elif there != size:
        raise TrustError(f"{path} in the bucket has {there} bytes, here {size}; not overwritten")
    return there is None
