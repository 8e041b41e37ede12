"""What edge-runtime adds to decoding and running a model: in the process, over a unix socket, HTTP.

One JPEG of 640×480 and MobileNetV3-small (10 MB, ONNX Runtime, one thread). Bare is simplejpeg,
`preprocess` and the session; `inprocess` is `Host.run_on` and `decide` about the same picture; the
others post it to a server in a process of its own over a kept connection. In each round all ways
take turns, in an order of chance; a share is the median over the rounds of the ratio of a round's
medians, less one. Where a process's memory comes to lie makes it faster or slower by some percent,
so servers and session are made anew for each sitting, and the median sitting counts.

The floor is the same call behind bare sockets (`bare_served.py`): what it takes to wake another
process and to find the caches cold. Each sitting is held twice: where the system lets processes
run, and with client and servers on one core (`*_one_core`). On a virtual machine waking another
core can cost more than all that a server does; on one core that is left out, and what serving
computes is seen. The machine should have nothing else to do.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edge_runtime.contract import decide, preprocess
from edge_runtime.hosting import Host
from edge_runtime.pictures import decode_picture
from measured import Bound, Measured
from served import NAME, loaded
from serving_client import Client, export_model, free_port, picture, request, running

SAYS = "what serving adds to decoding and inference: in the process, unix socket, HTTP"

BOUNDS = {"inprocess": 0.02, "unix": 0.05, "http": 0.06}
TURNS = 10  # calls of one way in a round
ROUNDS = 10  # of a sitting
SETTLES_S = 1.5  # after its start a server still finds out which batches pay

Sitting = dict[str, NDArray[np.float64]]
"""Milliseconds by way, the median of each round."""


def run(full: bool, /) -> Measured:
    """6 sittings of each kind, or 30."""
    cores = sorted(os.sched_getaffinity(0))
    anywhere: list[Sitting] = []
    on_one: list[Sitting] = []
    with tempfile.TemporaryDirectory(prefix="runtime-overhead-") as name:
        folder = Path(name)
        model = export_model(folder)
        for number in range(30 if full else 6):
            anywhere.append(_sitting(folder, model, 2 * number))
            with _only_on(cores[number % len(cores)]):
                on_one.append(_sitting(folder, model, 2 * number + 1))
            sys.stderr.write(f"sitting {number + 1}\n")
    shares = _shares(anywhere) | {f"{way}_one_core": s for way, s in _shares(on_one).items()}
    ours = {way: found for way, found in shares.items() if not way.startswith("bare ")}
    return Measured(
        metrics={way: _median(found) for way, found in ours.items()}
        | _milliseconds(anywhere)
        | {"sittings": len(anywhere)},
        floor={way: _median(shares.get(f"bare {way}", [0.0])) for way in ours},
        bounds={way: Bound("at_most", BOUNDS[way.removesuffix("_one_core")]) for way in ours},
        peers={way: [round(share, 4) for share in sorted(found)] for way, found in shares.items()},
    )


@contextmanager
def _only_on(core: int) -> Iterator[None]:
    """Keep this thread, and what it starts, on one core."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def _shares(sittings: list[Sitting]) -> dict[str, list[float]]:
    """By way, what it adds to the bare call in each sitting."""
    ways = [way for way in sittings[0] if way != "bare"]
    return {way: [float(np.median(s[way] / s["bare"])) - 1 for s in sittings] for way in ways}


def _milliseconds(sittings: list[Sitting]) -> dict[str, float]:
    ways = (*BOUNDS, "bare")
    return {f"{way}_ms": round(float(np.median([s[way] for s in sittings])), 4) for way in ways}


def _median(shares: list[float]) -> float:
    return round(float(np.median(shares)), 4)


def _sitting(folder: Path, model: Path, number: int) -> Sitting:
    """With servers and a session that are new."""
    jpeg = picture()
    asked = request(f"/v2/models/{NAME}/infer", jpeg)
    ways = _ways(model.read_bytes(), jpeg)
    with ExitStack() as stack:
        for script, kind in (("served.py", ""), ("bare_served.py", "bare ")):
            port, path = free_port(), folder / f"{script}{number}"
            at = str(Path(__file__).with_name(script))
            command = [sys.executable, at, str(model), str(port), str(path)]
            stack.enter_context(running(command, port, asked, folder))
            for way, where in (("unix", path), ("http", port)):
                client = Client(where)
                stack.callback(client.close)
                ways[kind + way] = partial(client.ask, asked)
        time.sleep(SETTLES_S)
        return _measure(ways, number)


def _ways(model: bytes, jpeg: bytes) -> dict[str, Callable[[], object]]:
    host = Host()
    host.put(NAME, loaded(model))
    found = host.get(NAME)
    session, release = found.session, found.active.release

    def bare() -> object:
        given, _ = preprocess(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"), release.input)
        return session.run(given[None])

    def inprocess() -> object:
        current = host.get(NAME)
        given, _ = preprocess(decode_picture(jpeg, "it"), current.active.release.input)
        return decide(release.task, host.run_on(current, given[None]), 0, 0.0)

    return {"bare": bare, "inprocess": inprocess}


def _measure(ways: dict[str, Callable[[], object]], seed: int) -> Sitting:
    """The ways take turns, in an order of chance."""
    chance = np.random.default_rng(seed)
    names = list(ways)
    found: Sitting = {name: np.zeros(ROUNDS) for name in names}
    for number in range(-1, ROUNDS):  # the first one warms up
        for place in chance.permutation(len(names)):
            times = []
            for _ in range(TURNS):
                start = time.perf_counter()
                ways[names[place]]()
                times.append(time.perf_counter() - start)
            if number >= 0:
                found[names[place]][number] = np.median(times) * 1000
    return found
