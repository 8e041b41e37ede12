"""The decoder's process: opens one source with FFmpeg, and shows what its parent asks for.

One thread decodes, and never waits for the parent where the source is live: it would fall behind.
The other answers, and only what is asked for is turned into RGB.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from edge_runtime.children import end_with_parent
from edge_runtime.decoding.messages import Next, Over, Play, Shown
from edge_runtime.engines.wire import receive, send
from edge_runtime.regions import Region

if TYPE_CHECKING:
    from av.container import InputContainer

MOST_PIXELS: Final = 2**25  # of a picture: 100 MB in RGB
MOST_BAD: Final = 100  # packets in a row that cannot be decoded, as after a loss
LONGEST_NAP_S: Final = 1.0  # before a picture of a file: times that jump are not waited for


@dataclass(frozen=True, slots=True)
class Taken:
    """A decoded picture, not yet RGB."""

    index: int
    seconds: float
    frame: av.VideoFrame


class Newest:
    """Room for one picture, and for how it all ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: Taken | None = None
        self._over: Over | None = None

    def put(self, picture: Taken, *, wait: bool) -> None:
        """Put `picture` in place of what is there, or `wait` until that has been taken."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._picture is None)
            self._picture = picture
            self._changed.notify_all()

    def end(self, over: Over) -> None:
        """No more pictures come."""
        with self._changed:
            self._over = over
            self._changed.notify_all()

    def take(self) -> Taken | Over:
        """The picture, once there is one; how it ended, when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is not None or self._over is not None)
            picture, self._picture = self._picture, None
            self._changed.notify_all()
            if picture is not None:
                return picture
            assert self._over is not None
            return self._over


def main() -> None:
    """Play what the parent asks for until it has had enough."""
    talking, life, shared = (int(argument) for argument in sys.argv[1:4])
    end_with_parent(life)
    av.logging.set_level(None)
    with socket.socket(fileno=talking) as talk:
        asked = receive(talk, Play)
        if asked is not None:
            newest, region = Newest(), Region(shared)
            threading.Thread(target=_play, args=(asked, newest), daemon=True).start()
            while receive(talk, Next) is not None:
                send(talk, _shown(newest.take(), region))
    os._exit(0)  # the thread may be deep in FFmpeg


def _play(asked: Play, newest: Newest) -> None:
    try:
        with av.open(asked.url, options=asked.options) as container:
            pictures = _decoded(container)
            for picture in pictures if asked.live else _paced(pictures, asked.fps):
                newest.put(picture, wait=not asked.live)
        newest.end(Over("the source has ended", ended=True))
    except (av.FFmpegError, OSError) as error:  # its own text has the URL, with any password
        newest.end(Over((error.strerror or type(error).__name__)[:200]))
    except MemoryError:
        newest.end(Over("no memory for a picture"))


def _decoded(container: "InputContainer") -> Iterator[Taken]:
    """The pictures, without those that are damaged. Raises av.FFmpegError."""
    if not container.streams.video:
        raise OSError(0, "it holds no video")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    index = bad = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            bad += 1
            if bad > MOST_BAD:
                raise
            continue
        for frame in frames:
            bad = 0
            yield Taken(index, index / rate if frame.time is None else frame.time, frame)
            index += 1


def _paced(pictures: Iterator[Taken], fps: float) -> Iterator[Taken]:
    """Those pictures that `fps` asks for, none before its time."""
    step, slack = 1 / fps, 1e-6
    due, last, shown = float("-inf"), 0.0, 0.0
    for picture in pictures:
        if last <= picture.seconds < due - slack:
            continue
        if shown:
            nap = shown + picture.seconds - last - time.monotonic()
            time.sleep(min(max(nap, 0.0), LONGEST_NAP_S))
        if picture.seconds < last or picture.seconds >= due + step:  # the first, or times that jump
            due = picture.seconds
        due += step
        last, shown = picture.seconds, time.monotonic()
        yield picture


def _shown(taken: Taken | Over, region: Region) -> Shown | Over:
    if isinstance(taken, Over):
        return taken
    height, width = taken.frame.height, taken.frame.width
    if not 0 < height * width <= MOST_PIXELS:
        return Over(f"its pictures are {width}×{height}; at most {MOST_PIXELS} pixels are taken")
    try:
        pixels = taken.frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError, MemoryError) as error:
        return Over(f"a picture cannot be turned into RGB ({type(error).__name__})")
    np.ndarray(pixels.shape, np.uint8, region.view(pixels.nbytes))[...] = pixels
    return Shown(taken.index, taken.seconds, height, width)


if __name__ == "__main__":
    main()
