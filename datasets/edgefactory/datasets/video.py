"""Reading video files: frames by index, with what is wrong said in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.media import opened

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Containers that hold one recording; playlists, which name other files, are not among them.
_FORMATS: Final = (
    "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,h264,hevc,flv,asf,ogg,ivf"
)
_MAX_SIDE: Final = 16384
_MAX_FRAMES: Final = 5_000_000
_LOOK: Final = (64, 36)  # width and height of a `Look`, pixels


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video file says about itself; `frames` are counted, not believed."""

    frames: int
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame: 0-based index in decode order, seconds from the start, RGB pixels."""

    index: int
    seconds: float
    pixels: NDArray[np.uint8]


def examine(path: Path) -> VideoFacts:
    """Count the frames of a video without decoding them.

    Raises `MissingError` if the file is not there and `InputError` if it is no video that can be
    read, or one without frames.
    """
    with _opened(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
            raise InputError(f"video {path}: pictures of {width}x{height} pixels")
        frames = 0
        for packet in container.demux(stream):
            frames += packet.size > 0
            if frames > _MAX_FRAMES:
                raise InputError(f"video {path}: more than {_MAX_FRAMES} frames; cut it first")
        if frames == 0:
            raise InputError(f"video {path} holds no frames")
        return VideoFacts(frames, width, height, float(stream.average_rate or 25))


def read_frames(path: Path, wanted: frozenset[int]) -> Iterator[Frame]:
    """The frames whose index is in `wanted`, in order. Errors as `examine`."""
    last = max(wanted, default=-1)
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or 25)
        for index, frame in enumerate(container.decode(stream)):
            if index in wanted:
                seconds = frame.time if frame.time is not None else index / rate
                pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                yield Frame(index, float(seconds), pixels)
            if index >= last:
                return


@dataclass(frozen=True, slots=True)
class Look:
    """A frame seen small: 0-based index, seconds from the start, uint8 [36,64,3] RGB pixels."""

    index: int
    seconds: float
    pixels: NDArray[np.uint8]


def choose_frames(path: Path, chosen: Callable[[Look], bool]) -> Iterator[Frame]:
    """The frames of which `chosen`, called with every frame in order, says so.

    Each frame is decoded once and made small for the question; only those that are kept are
    converted at full size. Errors as `examine`.
    """
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or 25)
        for index, frame in enumerate(container.decode(stream)):
            if index >= _MAX_FRAMES:
                raise InputError(f"video {path}: more than {_MAX_FRAMES} frames; cut it first")
            seconds = float(frame.time if frame.time is not None else index / rate)
            small = frame.reformat(*_LOOK, format="rgb24").to_ndarray()
            if chosen(Look(index, seconds, small.astype(np.uint8, copy=False))):
                pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                yield Frame(index, seconds, pixels)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    with opened(path, "video", _FORMATS) as container:
        if not container.streams.video:
            raise InputError(f"{path} has no video stream")
        yield container, container.streams.video[0]
