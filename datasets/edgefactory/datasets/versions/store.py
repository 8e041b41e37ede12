"""Where versions are kept: a DVC remote, a folder or a bucket, laid out as DVC does it.

`files/md5/` holds the files by their MD5, `versions/` the records. DVC's own file systems and
object database do the work; S3 is reached as AWS's tools reach it (`AWS_PROFILE`,
`AWS_ENDPOINT_URL`, ...), so that no key is ever an argument of ours.
"""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_runtime.contract.codec import encode
from edgefactory.datasets.errors import InputError, MissingError, StorageError
from edgefactory.datasets.files import user_folder
from edgefactory.datasets.versions.records import Record

_MAX_RECORD_BYTES: Final = 2**16
_MAX_TREE_BYTES: Final = 2**30


def default_store() -> str:
    """`$EDGEFACTORY_STORE`; else `edgefactory/store` in `$XDG_DATA_HOME` or `~/.local/share`."""
    if given := os.environ.get("EDGEFACTORY_STORE"):
        return given
    return str(user_folder("XDG_DATA_HOME", ".local/share") / "store")


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. `fs` is DVC's file system, `odb` its object database, both untyped there."""

    where: str
    root: str
    fs: Any
    odb: Any

    def records(self) -> tuple[Record, ...]:
        """All versions, the newest first. Raises `MissingError` for a store out of reach."""
        folder = self.fs.join(self.root, "versions")
        with store_errors(self.where):
            if not self.fs.exists(folder):
                return ()
            found = [self._record(path) for path in self.fs.find(folder) if path.endswith(".dvc")]
        return tuple(sorted(found, key=lambda one: one.version.pushed_at, reverse=True))

    def record(self, sha256: str) -> Record | None:
        """The record of the snapshot with that digest, if it was pushed."""
        path = self._record_path(sha256)
        with store_errors(self.where):
            return self._record(path) if self.fs.exists(path) else None

    def write_record(self, record: Record) -> None:
        """Make a version known; all its files must be there already."""
        content = encode(record)
        with store_errors(self.where):
            path = self._record_path(record.version.sha256)
            self.fs.makedirs(self.fs.parent(path))
            self.fs.put_file(io.BytesIO(content), path, size=len(content))

    def tree(self, tree_id: str) -> bytes:
        """The stored list of a version's files, as DVC wrote it."""
        with store_errors(self.where):
            return self._content(self.odb.oid_to_path(tree_id), _MAX_TREE_BYTES)

    def present(self, md5s: Sequence[str]) -> frozenset[str]:
        """Those of the files that are there already."""
        with store_errors(self.where):
            return frozenset(self.odb.oids_exist(list(md5s)) if md5s else ())

    def _record_path(self, sha256: str) -> str:
        return str(self.fs.join(self.root, "versions", f"{sha256}.dvc"))

    def _record(self, path: str) -> Record:
        content = self._content(path, _MAX_RECORD_BYTES)
        try:
            return msgspec.json.decode(content, type=Record)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} in {self.where} is not a record: {error}") from error

    def _content(self, path: str, limit: int) -> bytes:
        with self.fs.open(path, "rb") as file:
            content: bytes = file.read(limit + 1)
        if len(content) > limit:
            raise InputError(f"{path} in {self.where} is larger than {limit} bytes")
        return content


def open_store(where: str) -> Store:
    """The store at `where`, a folder or `s3://bucket/prefix`; it need not hold anything yet.

    Raises `MissingError` when the package for that kind of store is not installed, `InputError`
    when it is no kind that DVC knows.
    """
    from dvc.config import ConfigError
    from dvc.fs import get_cloud_fs
    from dvc_data.hashfile.db import get_odb
    from dvc_objects.fs.errors import RemoteMissingDepsError

    where = where if "://" in where else str(Path(where).absolute())
    try:
        kind, config, root = get_cloud_fs(None, url=where)
        fs = kind(**config)
        odb = get_odb(fs, fs.join(root, "files", "md5"), hash_name="md5")
        with store_errors(where):
            fs.fs.invalidate_cache()  # fsspec remembers listings; others push as well
    except (ImportError, RemoteMissingDepsError) as error:
        raise MissingError(
            f"the store {where} cannot be used: {error}; for S3, pip install 'edgefactory[s3]'"
        ) from error
    except ConfigError as error:
        raise InputError(f"the store {where} is not one: {error}") from error
    return Store(where, root, fs, odb)


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn what file systems and clouds raise into one line that names the store.

    `MissingError` for what is not there or not reached, `StorageError` for what is refused.
    """
    try:
        yield
    except PermissionError as error:
        raise StorageError(
            f"the store {where} refused: {_said(error)}; check the rights"
        ) from error
    except FileNotFoundError as error:
        raise MissingError(f"the store {where} lacks {_said(error)}") from error
    except _unreachable() as error:
        raise MissingError(
            f"the store {where} cannot be used: {_said(error)}; check address and credentials"
        ) from error
    except OSError as error:
        raise StorageError(f"the store {where} failed: {_said(error)}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _unreachable() -> tuple[type[Exception], ...]:
    """What is raised by a store that does not answer, the S3 client's own errors among it."""
    try:
        client: type[Exception] = importlib.import_module("botocore.exceptions").BotoCoreError
    except ImportError:
        return (ConnectionError, TimeoutError)
    return (ConnectionError, TimeoutError, client)
