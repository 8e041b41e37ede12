"""The worker process: one model in an engine that must not share a process with others.

It takes the engine's name, and the handles of its socket, its parent's life line, the model's
files, the batches and the outputs.
"""

import contextlib
import socket
import sys
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.children import end_with_parent
from edge_runtime.contract import Variant
from edge_runtime.engines.loading import Session, UInt8
from edge_runtime.engines.wire import (
    Open,
    Opened,
    Ran,
    Refused,
    Region,
    Run,
    place,
    receive,
    send,
)
from edge_runtime.errors import EdgeRuntimeError, RefusedError
from edge_runtime.openvino_core import quiet_openvino


def main() -> None:
    """Load what the parent sends, and run it until the parent has had enough."""
    talking, life, content, batches, outputs = (int(argument) for argument in sys.argv[2:7])
    end_with_parent(life)
    if sys.argv[1] == "openvino":
        _import_openvino()
    given, made = Region(batches), Region(outputs)
    with socket.socket(fileno=talking) as talk:
        session = _opened(talk, Region(content))
        while session is not None and (asked := receive(talk, Run)) is not None:
            send(talk, _ran(session, asked, given, made))


def _import_openvino() -> None:
    """Now, while the parent reads the model's files. A worker converts nothing: without the
    converter, which OpenVINO does without where it is not there, it starts 80 ms earlier."""
    sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]  # says: not installed
    with contextlib.suppress(ImportError):  # loading the model says so
        quiet_openvino()


def _opened(talk: socket.socket, content: Region) -> Session | None:
    """The session, None when there is none; the parent has been told either way."""
    job = receive(talk, Open)
    if job is None:
        return None
    try:
        session = _load(job, content)
        content.close()
        taken = session.input
        shape = [axis or 1 for axis in taken.shape]
        session.run(np.zeros(shape, np.uint8))  # what the first run costs is paid here
    except EdgeRuntimeError as error:
        send(talk, Refused(error.exit_code, str(error)[:1000]))
        return None
    send(talk, Opened(taken.kind, taken.shape))
    return session


def _load(job: Open, content: Region) -> Session:
    view = content.view(sum(job.files.values()))
    files: dict[str, bytes] = {}
    for name, size in job.files.items():
        files[name], view = bytes(view[:size]), view[size:]
    if job.main not in files:
        raise RefusedError(f"the variant has no file {job.main}")
    if job.engine == "openvino" and job.kept:
        from edge_runtime.engines import ov
        from edge_runtime.engines.compiled import Compiled

        return ov.load(files, job.main, job.precision, job.threads, Compiled(Path(job.kept)))
    variant = Variant("worker", job.engine, job.precision, ("cpu",), job.main, {})
    return engines.load(variant, files, job.threads, job.provider)


def _ran(session: Session, asked: Run, given: Region, made: Region) -> Ran | Refused:
    size = int(np.prod(asked.shape, dtype=np.int64))
    try:
        batch: UInt8 = np.ndarray(asked.shape, np.uint8, given.view(size))
        return place(session.run(batch), made)
    except MemoryError:
        return Refused(RefusedError.exit_code, f"no memory for a batch of {list(asked.shape)}")
    except EdgeRuntimeError as error:
        return Refused(error.exit_code, str(error)[:1000])


if __name__ == "__main__":
    main()
