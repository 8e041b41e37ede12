"""The measuring process: loads one model, and times calls as its parent asks for them.

It runs models that nobody signed, so it confines itself first: no files are written, memory is
bounded, and it dies with its parent. A model that crashes the engine ends this process alone.
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec
import numpy as np

from edge_runtime import engines
from edge_runtime.bench.clocks import processor_clock_is_fine, timed
from edge_runtime.bench.graph import is_quantized, precision_of
from edge_runtime.bench.messages import Answer, Block, Closed, Job, Opened, Refused
from edge_runtime.bench.reference import Reference
from edge_runtime.contract import Variant, digest
from edge_runtime.engines import InputTensor, UInt8
from edge_runtime.errors import EdgeRuntimeError, InputError, RefusedError
from edge_runtime.machine import host, usable_cores

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer the parent until it has nothing more to ask."""
    # What engines print must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    try:
        _confine(job)
        opened, call = _open(job)
    except EdgeRuntimeError as error:
        _say(answers, Refused(error.exit_code, str(error)))
        return
    except MemoryError:
        text = f"{job.main} needs more than the {job.memory >> 20} MiB that it may use here"
        _say(answers, Refused(RefusedError.exit_code, text))
        return
    reference = Reference(job.threads)
    _say(answers, msgspec.structs.replace(opened, peak_gflops=reference.peak_gflops()))
    gc.disable()  # a collection in the middle of a call would be counted as the model's
    for line in sys.stdin.buffer:
        calls = int(line)
        if calls == 0:
            _say(answers, Closed(_peak_memory(), reference.peak_gflops()))
            return
        _say(answers, _block(call, calls, reference))


def _block(call: Callable[[], object], calls: int, reference: Reference) -> Block:
    before = reference.level()
    call()  # what ran in between has emptied the caches
    taken = [timed(call) for _ in range(calls)]
    after = reference.level()
    return Block([wall for wall, _ in taken], [cpu for _, cpu in taken], before, after)


def _open(job: Job) -> tuple[Opened, Callable[[], object]]:
    """The model, loaded from the very bytes that were hashed, and a call of it."""
    cores = usable_cores()
    if job.threads > cores:
        raise InputError(f"{job.threads} threads on {cores} cores measure the scheduler; ask fewer")
    files = {name: Path(path).read_bytes() for name, path in job.files.items()}
    quantized = is_quantized(job.main, files[job.main])
    precision = precision_of(job.precision, job.engine, job.main, quantized=quantized)
    variant = Variant("model", job.engine, precision, ("cpu",), job.main, {})
    start = time.perf_counter()
    session = engines.load(variant, files, job.threads)
    load_ms = (time.perf_counter() - start) * 1e3
    batch = _batch(session.input, job)
    session.run(batch)
    opened = Opened(
        file_sha256=digest(files[job.main]),
        files_sha256=tuple(digest(content) for content in files.values()),
        bytes=sum(len(content) for content in files.values()),
        engine_version=engines.engine_version(job.engine),
        precision=precision,
        input=batch.shape,
        load_ms=load_ms,
        peak_gflops=0.0,
        fine_clock=processor_clock_is_fine(),
        host=host(),
    )
    return opened, lambda: session.run(batch)


def _batch(taken: InputTensor, job: Job) -> UInt8:
    """Random bytes of the shape that the graph takes, a free batch axis as 1."""
    shape = [axis or 0 for axis in taken.shape]
    shape[:1] = [axis or 1 for axis in shape[:1]]
    if taken.kind != "uint8" or not shape or 0 in shape:
        found = ", ".join("free" if axis is None else str(axis) for axis in taken.shape)
        raise RefusedError(
            f"{job.main} takes {taken.kind} [{found}]; expected uint8 with only the batch axis free"
        )
    return np.random.default_rng(job.seed).integers(0, 256, shape, np.uint8)


def _confine(job: Job) -> None:
    # Not RLIMIT_CPU: with it Linux lets the processor clock move in steps of its timer.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):  # if memory runs out, it is us who should go
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (job.memory, job.memory))


def _peak_memory() -> int:
    """Bytes; the kernel's own figure, since getrusage inherits the parent's."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say(answers: IO[bytes], answer: Answer) -> None:
    answers.write(msgspec.json.encode(answer) + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
