"""The worker process: one model in an engine that must not share a process with others.

It takes the engine's name, and the handles of its socket, its parent's life line, the model's
files, the batches and the outputs. It ends when it is given nothing to load within NOBODY_S.
"""

import contextlib
import ctypes
import math
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge_runtime import engines
from edge_runtime.children import end_with_parent
from edge_runtime.contract import Variant
from edge_runtime.engines import InputTensor, openvino_c, ov_model
from edge_runtime.engines.compiled import Compiled
from edge_runtime.engines.tensors import OutputTensor
from edge_runtime.engines.wire import Open, Opened, Ran, Refused, Run, place, receive, send
from edge_runtime.errors import EdgeRuntimeError, MissingError, RefusedError
from edge_runtime.priority import come_back
from edge_runtime.regions import Region

NOBODY_S: Final = 300.0

Runner = Callable[[memoryview, tuple[int, ...]], Mapping[str, OutputTensor]]
"""What a loaded model gives for the uint8 values of a shape, until it is asked again."""


def main() -> None:
    """Load what the parent sends, and run it until the parent has had enough."""
    talking, life, content, batches, outputs = (int(argument) for argument in sys.argv[2:7])
    end_with_parent(life)
    if sys.argv[1] == "openvino":
        with contextlib.suppress(RuntimeError):  # loading the model says so
            openvino_c.prepare()  # while the parent reads the model's files
    given, made = Region(batches), Region(outputs)
    with socket.socket(fileno=talking) as talk:
        run = _opened(talk, Region(content))
        while run is not None and (asked := receive(talk, Run)) is not None:
            send(talk, _ran(run, asked, given, made))


def _opened(talk: socket.socket, content: Region) -> Runner | None:
    """What runs the model, None when there is nothing; the parent has been told either way."""
    try:
        talk.settimeout(NOBODY_S)
        job = receive(talk, Open)
        talk.settimeout(None)
    except TimeoutError:
        return None
    if job is None:
        return None
    try:
        taken, run = _load(job, content)
        content.close()
        shape = tuple(axis or 1 for axis in taken.shape)
        run(memoryview(bytearray(math.prod(shape))), shape)  # what a first run costs is paid here
    except EdgeRuntimeError as error:
        send(talk, Refused(error.exit_code, str(error)[:1000]))
        return None
    come_back()
    send(talk, Opened(taken.kind, taken.shape))
    return run


def _load(job: Open, content: Region) -> tuple[InputTensor, Runner]:
    view = content.view(sum(ref.bytes for ref in job.files.values()))
    files: dict[str, memoryview] = {}
    for name, ref in job.files.items():
        files[name], view = view[: ref.bytes], view[ref.bytes :]
    reason = engines.unavailable(job.engine, job.provider)
    if reason is not None:
        raise MissingError(reason)
    if job.main not in files:
        raise RefusedError(f"the variant has no file {job.main}")
    return _openvino(job, files) if job.engine == "openvino" else _other(job, files)


def _openvino(job: Open, files: Mapping[str, memoryview]) -> tuple[InputTensor, Runner]:
    digests = tuple(ref.sha256 for _, ref in sorted(job.files.items()))
    kept = Compiled(Path(job.kept), digests, job.room) if job.kept else None
    model = ov_model.load(files, job.main, job.precision, job.threads, kept)

    def run(view: memoryview, shape: tuple[int, ...]) -> Mapping[str, OutputTensor]:
        return model.run(ctypes.addressof(ctypes.c_char.from_buffer(view)), shape)

    return model.input, run


def _other(job: Open, files: Mapping[str, memoryview]) -> tuple[InputTensor, Runner]:
    import numpy as np

    variant = Variant("worker", job.engine, job.precision, ("cpu",), job.main, {})
    copied = {name: bytes(data) for name, data in files.items()}
    session = engines.load(variant, copied, job.threads, job.provider)

    def run(view: memoryview, shape: tuple[int, ...]) -> Mapping[str, OutputTensor]:
        found = session.run(np.ndarray(shape, np.uint8, view))
        whole = {name: np.ascontiguousarray(value) for name, value in found.items()}
        return {
            name: OutputTensor(value.dtype.name, value.shape, value.reshape(-1).view(np.uint8).data)
            for name, value in whole.items()
        }

    return session.input, run


def _ran(run: Runner, asked: Run, given: Region, made: Region) -> Ran | Refused:
    try:
        return place(run(given.view(math.prod(asked.shape)), asked.shape), made)
    except MemoryError:
        return Refused(RefusedError.exit_code, f"no memory for a batch of {list(asked.shape)}")
    except EdgeRuntimeError as error:
        return Refused(error.exit_code, str(error)[:1000])


if __name__ == "__main__":
    main()
