"""What edge-runtime adds to decoding and running a model: in the process, over a unix socket, HTTP.

One JPEG of 640×480 and MobileNetV3-small (10 MB, ONNX Runtime, one thread). Bare is simplejpeg,
`preprocess` and the session; `inprocess` is `Host.run_on` and `decide` about the same picture; the
others post it to a server in a process of its own over a kept connection. In each round all ways
take turns, in an order of chance; a share is the median over the rounds of the ratio of a round's
medians, less one. Where a process's memory comes to lie makes it faster or slower by some percent,
so servers and session are made anew for each sitting, and the median sitting counts.

The floor is the same call behind bare sockets (`bare_served.py`): what it takes to wake another
process and to find the caches cold. The machine should have nothing else to do.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
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


def run(full: bool, /) -> Measured:
    """6 sittings, or 30."""
    with tempfile.TemporaryDirectory(prefix="runtime-overhead-") as name:
        folder = Path(name)
        model = export_model(folder)
        sittings = [_sitting(folder, model, number) for number in range(30 if full else 6)]
    bare = [medians.pop("bare") for medians in sittings]
    shares = {
        way: [float(np.median(m[way] / b)) - 1 for m, b in zip(sittings, bare, strict=True)]
        for way in sittings[0]
    }
    milliseconds = {
        f"{way}_ms": round(float(np.median([np.median(m[way]) for m in sittings])), 4)
        for way in BOUNDS
    }
    return Measured(
        metrics={way: _median(shares[way]) for way in BOUNDS}
        | milliseconds
        | {"bare_ms": round(float(np.median(bare)), 4), "sittings": len(sittings)},
        floor={"inprocess": 0.0}
        | {way: _median(shares[f"bare {way}"]) for way in ("unix", "http")},
        bounds={way: Bound("at_most", bound) for way, bound in BOUNDS.items()},
        peers={way: [round(share, 4) for share in sorted(found)] for way, found in shares.items()},
    )


def _median(shares: list[float]) -> float:
    return round(float(np.median(shares)), 4)


def _sitting(folder: Path, model: Path, number: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds by way, the median of each round, of servers and a session that are new."""
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
        found = _measure(ways, number)
    sys.stderr.write(f"sitting {number + 1}\n")
    return found


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


def _measure(ways: dict[str, Callable[[], object]], seed: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds by way, the median of each round."""
    chance = np.random.default_rng(seed)
    names = list(ways)
    found: dict[str, NDArray[np.float64]] = {name: np.zeros(ROUNDS) for name in names}
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
