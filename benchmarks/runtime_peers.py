"""edge-runtime's server beside FastAPI, LitServe and MLServer, one after another in each round.

All decode the same JPEG of 640×480 with simplejpeg, resize it with Pillow and run MobileNetV3-small
on one thread of ONNX Runtime; each lives in a virtual environment of its own, made here. Per peer:
`latency_ratio` (its median over ours, one client), `throughput_ratio` (ours over its, eight
clients), `rss_ratio` (proportional set size of all its processes, over ours) and `start_ratio`
(from the start of the process to its first answer). Above 1 is ours ahead. Who cannot be
installed here is named in `peers`.
"""

import subprocess
import sys
import tempfile
import threading
import time
import venv
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from measured import Bound, Measured
from served import NAME
from serving_client import Client, Running, export_model, free_port, picture, request, running

SAYS = "latency, throughput, memory and start beside FastAPI, LitServe and MLServer"

HERE = Path(__file__).parent
OURS = "edge-runtime"
NEEDS = {
    OURS: (str(HERE.parent / "edge-runtime"),),
    "fastapi": ("fastapi", "uvicorn[standard]"),
    "litserve": ("litserve",),
    "mlserver": ("mlserver",),
}
MODEL_NEEDS = ("numpy", "onnxruntime<1.29", "pillow", "simplejpeg")  # the engine is one for all
CLIENTS = 8
CALLS = 20  # one after another in a round


@dataclass
class Side:
    """A server: how it is asked, and what was found in each round."""

    command: tuple[str, ...]
    asked: bytes
    latency_ms: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    start_s: list[float] = field(default_factory=list)


def run(full: bool, /) -> Measured:
    """3 rounds, or 15."""
    with tempfile.TemporaryDirectory(prefix="runtime-peers-") as name:
        folder = Path(name)
        model = export_model(folder)
        sides: dict[str, Side] = {}
        absent: dict[str, str] = {}
        for peer, needs in NEEDS.items():
            python, why = _installed(folder / peer, needs)
            if why:
                absent[peer] = why
                continue
            sides[peer] = _side(peer, python, model)
        for number in range(15 if full else 3):
            for peer in list(sides):
                try:
                    _round(sides[peer], folder)
                except (RuntimeError, OSError) as error:
                    absent[peer] = str(error)[-300:]
                    del sides[peer]
            sys.stderr.write(f"round {number + 1}: {', '.join(sides)}\n")
    return _measured(sides, absent)


def _installed(folder: Path, needs: tuple[str, ...]) -> tuple[Path, str]:
    """The interpreter of an environment with `needs`, or why there is none."""
    sys.stderr.write(f"installing {', '.join(needs)}\n")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", *needs, *MODEL_NEEDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return python, "" if done.returncode == 0 else f"not installable: {done.stderr.strip()[-200:]}"


def _side(peer: str, python: Path, model: Path) -> Side:
    ours = peer == OURS
    module = "served" if ours else f"serving_peers.with_{peer}"
    path = f"/v2/models/{NAME}/infer" if ours else "/infer"
    return Side((str(python), "-m", module, str(model)), request(path, picture()))


def _round(side: Side, folder: Path) -> None:
    """Start it, ask it, look at its memory, end it. Raises RuntimeError, OSError."""
    port = free_port()
    with running((*side.command, str(port)), port, side.asked, folder) as server:
        side.start_s.append(server.start_s)
        _ask(side, server, port)


def _ask(side: Side, server: Running, port: int) -> None:
    client = Client(port)
    times = []
    for number in range(-5, CALLS):
        start = time.perf_counter()
        client.ask(side.asked)
        if number >= 0:
            times.append(time.perf_counter() - start)
    client.close()
    side.latency_ms.append(float(np.median(times)) * 1000)
    side.throughput.append(_throughput(port, side.asked))
    side.memory_mb.append(server.memory_mb())


def _throughput(port: int, asked: bytes) -> float:
    """Answers a second to CLIENTS clients that each ask again at once. Raises OSError."""
    failed: list[OSError] = []
    with ExitStack() as stack:
        clients = [Client(port) for _ in range(CLIENTS)]
        for client in clients:
            stack.callback(client.close)

        def repeat(client: Client) -> None:
            try:
                for _ in range(CALLS):
                    client.ask(asked)
            except OSError as error:
                failed.append(error)

        threads = [threading.Thread(target=repeat, args=(client,)) for client in clients]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
    if failed:
        raise failed[0]
    return CLIENTS * CALLS / seconds


def _measured(sides: dict[str, Side], absent: dict[str, str]) -> Measured:
    if OURS not in sides:
        raise RuntimeError(f"edge-runtime itself does not run here: {absent[OURS]}")
    ours = sides.pop(OURS)
    metrics: dict[str, float] = {}
    for peer, side in sides.items():
        ratios = {
            "latency_ratio": _median(side.latency_ms) / _median(ours.latency_ms),
            "throughput_ratio": _median(ours.throughput) / _median(side.throughput),
            "rss_ratio": _median(side.memory_mb) / _median(ours.memory_mb),
            "start_ratio": _median(side.start_s) / _median(ours.start_s),
        }
        metrics |= {f"{peer}_{name}": round(value, 3) for name, value in ratios.items()}
    figures = {OURS: ours, **sides}
    return Measured(
        metrics=metrics,
        bounds={name: Bound("at_least", 1.0) for name in metrics},
        peers={**{peer: _figures(side) for peer, side in figures.items()}, **absent},
    )


def _figures(side: Side) -> dict[str, float]:
    return {
        "latency_ms": round(_median(side.latency_ms), 3),
        "throughput": round(_median(side.throughput), 1),
        "memory_mb": round(_median(side.memory_mb), 1),
        "start_s": round(_median(side.start_s), 3),
    }


def _median(values: list[float]) -> float:
    return float(np.median(values))
