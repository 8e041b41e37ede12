"""What edge-runtime adds to decoding and running a model: in the process, over a unix socket, HTTP.

One JPEG of 640×480 and MobileNetV3-small (10 MB, ONNX Runtime, one thread). Bare is simplejpeg,
`preprocess` and the session; `inprocess` is `Host.run_on` and `decide` about the same picture; the
others post it to a server in a process of its own over a kept connection. In each round all four
take turns, in an order of chance; a share is the median over the rounds of the ratio of a
round's medians, less one. It says what waiting costs: the machine should have nothing else to do.
"""

import sys
import tempfile
import time
from collections.abc import Callable
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


def run(full: bool, /) -> Measured:
    """60 rounds, or 600."""
    with tempfile.TemporaryDirectory(prefix="runtime-overhead-") as name:
        folder = Path(name)
        model, port, path = export_model(folder), free_port(), folder / "socket"
        jpeg = picture()
        asked = request(f"/v2/models/{NAME}/infer", jpeg)
        script = str(Path(__file__).with_name("served.py"))
        command = [sys.executable, script, str(model), str(port), str(path)]
        with running(command, port, asked, folder):
            over_http, over_unix = Client(port), Client(path)
            ways = _ways(model.read_bytes(), jpeg)
            ways |= {"unix": lambda: over_unix.ask(asked), "http": lambda: over_http.ask(asked)}
            medians = _measure(ways, 600 if full else 60)
            over_http.close()
            over_unix.close()
    bare = medians.pop("bare")
    shares = {way: float(np.median(found / bare)) - 1 for way, found in medians.items()}
    milliseconds = {f"{way}_ms": float(np.median(found)) for way, found in medians.items()}
    return Measured(
        metrics={way: round(share, 4) for way, share in shares.items()}
        | {way: round(value, 4) for way, value in milliseconds.items()}
        | {"bare_ms": round(float(np.median(bare)), 4), "rounds": len(bare)},
        floor=dict.fromkeys(shares, 0.0),
        bounds={way: Bound("at_most", bound) for way, bound in BOUNDS.items()},
    )


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


def _measure(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds by way, the median of each round."""
    chance = np.random.default_rng(0)
    names = list(ways)
    found: dict[str, NDArray[np.float64]] = {name: np.zeros(rounds) for name in names}
    for number in range(-3, rounds):  # the first ones warm up
        for place in chance.permutation(len(names)):
            times = []
            for _ in range(TURNS):
                start = time.perf_counter()
                ways[names[place]]()
                times.append(time.perf_counter() - start)
            if number >= 0:
                found[names[place]][number] = np.median(times) * 1000
        if number >= 0 and (number + 1) % 20 == 0:
            sys.stderr.write(f"round {number + 1} of {rounds}\n")
    return found
