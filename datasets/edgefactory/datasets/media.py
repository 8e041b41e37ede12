"""Opening files that FFmpeg decodes, with what is wrong said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgefactory.datasets.errors import InputError, MissingError

if TYPE_CHECKING:
    from av.container import InputContainer


@contextmanager
def opened(path: Path, what: str, formats: str) -> Iterator[InputContainer]:
    """The file at `path`, which `what` calls by its kind, as one of FFmpeg's container `formats`.

    Playlists and the like, which name other files, must not be among these. Raises `MissingError`
    if the file is not there and `InputError` if it cannot be decoded, in the block too.
    """
    try:
        import av
    except ImportError as error:
        raise MissingError("PyAV is not installed: pip install av") from error
    if not path.is_file():
        state = "is not a file" if path.exists() else "is not there"
        raise MissingError(f"{what} {path} {state}; give the path of a {what}")
    if path.stat().st_size == 0:
        raise InputError(f"{what} {path} is empty")
    options = {"format_whitelist": formats, "protocol_whitelist": "file"}
    try:
        # Names of songs and the like may be in any encoding; they are not looked at.
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            yield container
    except av.FFmpegError as error:
        raise InputError(
            f"{what} {path} cannot be decoded ({error.strerror}); it is damaged, or no {what}"
        ) from error
    except PermissionError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}") from error
