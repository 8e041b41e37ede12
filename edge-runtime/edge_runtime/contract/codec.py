"""How a contract document becomes bytes and comes back: one JSON form, parsed strictly."""

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_runtime.errors import ContractError, MissingError, StorageError

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_ERROR = 500  # characters of the parser's own words

T = TypeVar("T")


def encode(document: object) -> bytes:
    """The document's one byte form: JSON, keys as declared, two-space indent, final newline."""
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic")) + b"\n"


def decode(data: bytes, kind: type[T], source: str) -> T:
    """Parse `data` as `kind`, refusing unknown keys, wrong types and values out of range.

    `source` names the document in errors. Raises ContractError.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = " ".join(str(error).split())[:MAX_ERROR]  # it may quote a key of any length
        raise ContractError(f"{source} is not a valid {kind.__name__}: {text}") from error


def read(path: Path, kind: type[T]) -> T:
    """Read and parse the document at `path`, of at most MAX_DOCUMENT_BYTES.

    Raises MissingError when there is no such file, ContractError when it is not a valid `kind`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist; expected a {kind.__name__} document") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ContractError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes")
    return decode(data, kind, str(path))


def digest(data: bytes | memoryview) -> str:
    """The SHA-256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of the file at `path` in lower-case hex, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
