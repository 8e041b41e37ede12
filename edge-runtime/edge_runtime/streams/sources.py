"""Where pictures come from: a video file from a frame on, or a folder of pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_runtime import durable
from edge_runtime.errors import InputError, MissingError
from edge_runtime.pictures import decode_picture

if TYPE_CHECKING:
    import av.container

UInt8 = npt.NDArray[np.uint8]

MAX_PICTURE_BYTES = 64 * 1024 * 1024
_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a stream (uint8 [H,W,3], RGB), its index and its time in seconds."""

    index: int
    seconds: float
    picture: UInt8


@dataclass(frozen=True)
class Stream:
    """A source that can be played again: `frames(first, count)` from a frame index on."""

    name: str
    fps: float
    first: int
    count: int | None
    frames: Callable[[int, int | None], Iterator[Frame]]


def _open(path: Path) -> "av.container.InputContainer":
    try:
        import av
    except ImportError as error:
        raise MissingError("video needs PyAV: pip install 'edgefactory-runtime[video]'") from error
    if not path.is_file():
        raise MissingError(f"video {path} does not exist")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path} is not a video that can be read: {_line(error)}") from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{path} holds no video stream")
    return container


def video_stream(path: Path, name: str, first: int, count: int | None) -> Stream:
    """The video as a stream. Raises MissingError, InputError."""
    with _open(path) as container:
        rate = _rate(container)

    def frames(start: int, length: int | None) -> Iterator[Frame]:
        return video(path, start, length)

    return Stream(name, rate, first, count, frames)


def _rate(container: "av.container.InputContainer") -> float:
    stream = container.streams.video[0]
    return float(stream.average_rate or stream.guessed_rate or Fraction(25))


def video(path: Path, first: int = 0, count: int | None = None) -> Iterator[Frame]:
    """The frames of the video from index `first` (0-based, in decoding order), at most `count`.

    Raises MissingError, or InputError when it cannot be decoded or has no such frame.
    """
    import av

    end = None if count is None else first + count
    index = -1
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = _rate(container)
        try:
            for index, frame in enumerate(container.decode(stream)):
                if end is not None and index >= end:
                    return
                if index >= first:
                    seconds = frame.time if frame.time is not None else index / rate
                    picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                    yield Frame(index, seconds, picture)
        except av.FFmpegError as error:
            raise InputError(
                f"{path} cannot be decoded after frame {index}: {_line(error)}"
            ) from error
    if index < first:
        raise InputError(f"{path} has {index + 1} frames; frame {first} was asked for")


def pictures_in(folder: Path) -> list[Path]:
    """The JPEG and PNG files of `folder`, by name. Raises MissingError when there are none,
    InputError for a pipe or the like, which would be waited for."""
    if not folder.is_dir():
        raise MissingError(f"{folder} is not a folder of pictures")
    with durable.storage(folder):
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES)
        odd = next((p for p in files if p.exists() and not p.is_file()), None)
    if not files:
        raise MissingError(f"{folder} holds no .jpg or .png pictures")
    if odd is not None:
        raise InputError(f"{odd} is called a picture and is no file; move it elsewhere")
    return files


def read_picture(path: Path) -> UInt8:
    """The picture at `path` as uint8 [H,W,3] RGB. Raises InputError when it is not one."""
    return decode_picture(durable.read(path, MAX_PICTURE_BYTES, "a picture"), str(path))


def folder_stream(folder: Path, name: str, first: int, count: int | None, fps: float) -> Stream:
    """The pictures of `folder`, by name, as a stream of `fps` pictures a second."""
    files = pictures_in(folder)

    def frames(start: int, length: int | None) -> Iterator[Frame]:
        end = len(files) if length is None else min(len(files), start + length)
        for index in range(start, end):
            yield Frame(index, index / fps, read_picture(files[index]))

    return Stream(name, fps, first, count, frames)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
