"""Processes for engines that must not share ours; one can be started before it is known for what.

Such a process imports its engine as soon as it runs, which takes longest of all. Whoever knows that
one will be wanted starts it ahead, and goes on importing what this process needs itself.
"""

import contextlib
import os
import socket
import weakref
from collections.abc import Callable
from typing import Final

from edge_runtime import children
from edge_runtime.contract import Engine
from edge_runtime.errors import RefusedError
from edge_runtime.priority import let_pass
from edge_runtime.regions import Region

MODULE: Final = "edge_runtime.engines.worker"

_ahead: dict[str, list["Worker"]] = {}


class Worker:
    """A process of `engine`, what it is talked to by, and the memory that it shares: of the model's
    files (`content`), of batches (`given`) and of outputs (`made`). It goes when this does."""

    def __init__(self, engine: str) -> None:
        """Start it. Raises RefusedError."""
        with contextlib.ExitStack() as opened_here, contextlib.ExitStack() as theirs:
            self.content, self.given, self.made = Region(), Region(), Region()
            for region in (self.content, self.given, self.made):
                opened_here.callback(region.close)
            self.talk, talk = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            opened_here.enter_context(self.talk)
            theirs.enter_context(talk)
            line, life = os.pipe()
            opened_here.callback(os.close, life)
            theirs.callback(os.close, line)
            regions = (self.content.handle, self.given.handle, self.made.handle)
            try:
                self.process = children.start(MODULE, (engine,), (talk.fileno(), line, *regions))
            except OSError as error:
                raise RefusedError(f"no process for the engine: {error.strerror}") from error
            self.end: Callable[[], object] = weakref.finalize(
                self, children.end, self.process, opened_here.pop_all()
            )


def begin(engine: str) -> None:
    """Start a worker for whoever asks for the next one; nobody asks: it ends by itself."""
    with contextlib.suppress(RefusedError):  # whoever asks will be told
        _ahead.setdefault(engine, []).append(Worker(engine))  # at our start: nobody asks yet


def worker(engine: Engine) -> Worker:
    """A worker of `engine` that was begun, or one that begins now. Raises RefusedError."""
    with contextlib.suppress(LookupError):
        while True:
            begun = _ahead[engine].pop()
            if begun.process.poll() is None:
                return begun
    begun = Worker(engine)
    let_pass(begun.process.pid)  # until its model is loaded
    return begun
