"""A blob comes over the wire: resumed where it broke off, never longer than signed, verified."""

from pathlib import Path

import urllib3

from edge_runtime import durable
from edge_runtime.contract import FileRef, file_digest
from edge_runtime.errors import MissingError, TrustError
from edge_runtime.trust.origin import Source

ATTEMPTS = 4


def fetch_blob(source: Source, url: str, ref: FileRef, partial: Path, final: Path) -> None:
    """Fetch `url` into `final`, of exactly the length and SHA-256 of `ref`.

    Bytes gather in `partial`, which outlives a broken connection or a power cut; the next call
    goes on from there by a Range request. Only what verifies is renamed to `final`, after it
    was synced. Raises MissingError (network), TrustError (other bytes), StorageError (disk).
    """
    for attempt in range(ATTEMPTS):
        before = _usable(partial, ref)
        try:
            resumed = _gather(source, url, ref, partial)
        except MissingError:
            if attempt + 1 < ATTEMPTS and _usable(partial, ref) > before:
                continue  # there was progress: go on from there at once
            raise
        with durable.storage(partial):
            found = file_digest(partial)
        if found == ref.sha256:
            durable.settle(partial, final)
            return
        durable.remove(partial)
        if not resumed:
            raise TrustError(
                f"{url} has SHA-256 {found[:12]}…, expected {ref.sha256[:12]}…: "
                "it was changed or damaged on the server; nothing was kept"
            )
    raise MissingError(f"{url} keeps changing while it is fetched; try again later")


def _usable(partial: Path, ref: FileRef) -> int:
    """How many bytes `partial` holds; one that is already too long is thrown away."""
    with durable.storage(partial):
        size = partial.stat().st_size if partial.exists() else 0
    if size <= ref.bytes:
        return size
    durable.remove(partial)
    return 0


def _gather(source: Source, url: str, ref: FileRef, partial: Path) -> bool:
    """Bring `partial` to the full length; True when it stands on bytes from an earlier call."""
    start = _usable(partial, ref)
    if start == ref.bytes and partial.exists():
        return True
    answer = source.open(url, first=start)
    if answer.status == 416 and start:  # the file there is shorter than what we have: not ours
        answer.close()
        start = 0
        answer = source.open(url)
    start = _first_byte(url, answer, start)
    size = start
    try:
        with durable.gathering(partial, go_on=start > 0) as put:
            for chunk in source.chunks(url, answer):
                size += len(chunk)
                if size > ref.bytes:
                    durable.remove(partial)
                    raise TrustError(f"{url} is longer than the {ref.bytes} bytes that were signed")
                put(chunk)
    finally:
        answer.close()
    if size < ref.bytes:
        raise MissingError(
            f"{url} broke off after {size} of {ref.bytes} bytes; run the command again to continue"
        )
    return start > 0


def _first_byte(url: str, answer: urllib3.BaseHTTPResponse, asked: int) -> int:
    """Where the body of `answer` begins. Raises MissingError when it is of no use."""
    if answer.status == 200:
        return 0  # also when a Range was asked for and the server does not know ranges
    if answer.status == 206 and asked:
        if answer.headers.get("Content-Range", "").startswith(f"bytes {asked}-"):
            return asked
        answer.close()
        raise MissingError(f"{url}: the server sends another range than the one asked for")
    answer.close()
    raise MissingError(f"{url}: the server answers {answer.status}; expected the file")
