"""A decoder's process as its parent sees it: asked for pictures, ended when it is silent."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import weakref
from types import TracebackType
from typing import Final, Self

import msgspec
import numpy as np

from edge_runtime import children
from edge_runtime.decoding.messages import Next, Over, Play, Shown
from edge_runtime.decoding.source import Source
from edge_runtime.engines.wire import receive, send
from edge_runtime.errors import MissingError
from edge_runtime.regions import MAX_REGION, Region
from edge_runtime.streams.sources import Frame, UInt8

PROCESS: Final = "edge_runtime.decoding.process"


def no_decoder() -> str:
    """Why nothing can be decoded here; empty where it can."""
    if importlib.util.find_spec("av") is not None:
        return ""
    return "video needs PyAV: pip install 'edgefactory-runtime[video]'"


class Decoder:
    """One process that decodes `source`; `with` ends it. For one thread, but for `stop`."""

    def __init__(self, source: Source, fps: float) -> None:
        """Start it. Raises MissingError where no process can be had."""
        self._live = source.live
        with contextlib.ExitStack() as opened_here, contextlib.ExitStack() as theirs:
            self._region = Region()
            opened_here.callback(self._region.close)
            self._talk, talk = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            opened_here.enter_context(self._talk)
            theirs.enter_context(talk)
            line, life = os.pipe()
            opened_here.callback(os.close, life)
            theirs.callback(os.close, line)
            self._process = _started((talk.fileno(), line, self._region.handle))
            self._end = weakref.finalize(self, children.end, self._process, opened_here.pop_all())
        with contextlib.suppress(OSError):  # `next` says that it has gone
            send(self._talk, Play(source.url, dict(source.options), source.live, fps))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._end()

    def stop(self) -> None:
        """Let whoever waits in `next` be told that it has gone. Any thread."""
        self._process.kill()

    def next(self, seconds: float) -> Frame | None:
        """The next picture; None when a file has ended.

        Raises MissingError when there is none within `seconds`, or the source cannot go on.
        """
        try:
            self._talk.settimeout(seconds)
            send(self._talk, Next())
            answer: Shown | Over | None = receive(
                self._talk,
                Shown | Over,  # type: ignore[arg-type]  # a union
            )
        except TimeoutError:
            raise MissingError(f"no picture within {seconds:g} s") from None
        except (OSError, msgspec.DecodeError):
            answer = None
        if answer is None:
            raise MissingError(f"the decoder's process {children.fate(self._process)}")
        if isinstance(answer, Shown):
            return self._frame(answer)
        if answer.ended and not self._live:
            return None
        raise MissingError(answer.why)

    def _frame(self, shown: Shown) -> Frame:
        size = shown.height * shown.width * 3
        if not (shown.height > 0 and shown.width > 0 and size <= MAX_REGION):
            raise MissingError("the decoder's process shows a picture of no size")
        shape = (shown.height, shown.width, 3)
        picture: UInt8 = np.ndarray(shape, np.uint8, self._region.view(size))
        return Frame(shown.index, shown.seconds, picture.copy())


def _started(handles: tuple[int, ...]) -> "subprocess.Popen[bytes]":
    try:
        return children.start(PROCESS, (), handles, quiet=True)  # FFmpeg would say the URL
    except OSError as error:
        raise MissingError(f"no process for the decoder: {error.strerror}") from error
