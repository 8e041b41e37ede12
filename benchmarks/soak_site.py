"""The site of `runtime-soak`: a published tree, a collector, clients, the daemon between them."""

import http.client
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import msgspec
from PIL import Image

from edge_runtime.contract import SignedTelemetry, decide
from edge_runtime.contract.referring import reference_of
from edge_runtime.contract.sealing import peek_telemetry
from edge_runtime.contract.sketching import decisions_of, inputs_of
from edge_runtime.daemon import logs
from edge_runtime.engines import load
from edge_runtime.enrolment import Enrolment, enroll
from edge_runtime.state import State
from edge_runtime.store import ModelSlots, load_journal

if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parents[1]))  # who publishes is that of the tests
from tests.edge_runtime.models import THRESHOLD, Built, build, scene, squares_onnx
from tests.edge_runtime.publishing import Publisher
from tests.edge_runtime.serving import Server

__all__ = ["Clients", "Site", "build", "load", "scene", "site", "until", "with_reference"]

QUOTA: Final = 8_000_000  # bytes of state: little, so that old releases must give way
PATIENCE_S: Final = 120.0
REQUESTS_S: Final = 20.0
_SETTINGS: Final = """
[models.squares]
[poll]
interval_s = {interval}
[shadow]
spacing_s = 0
least = 20
wait_s = 5
[dwell]
seconds = 1
latency_ms = 2000
[serve]
listen = "127.0.0.1:{port}"
[telemetry]
collector = "{collector}"
every_s = {every}
"""


class Collector(ThreadingHTTPServer):
    """Keeps the numbers of what it was told; `up` False: it answers 503."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Telemetry)
        self.up = True
        self.told: set[tuple[str, int]] = set()
        self.largest = 0

    @property
    def url(self) -> str:
        """Where it is told."""
        return f"http://127.0.0.1:{self.server_address[1]}/telemetry"


class _Telemetry(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.up:
            signed = msgspec.json.decode(body, type=list[SignedTelemetry])
            seen = [peek_telemetry(one) for one in signed]
            self.server.told |= {(one.epoch, one.sequence) for one in seen}
            self.server.largest = max(self.server.largest, len(seen))
        self.send_response(204 if self.server.up else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Clients:
    """Somebody who asks about pictures at a steady pace while `asking`; failures by time."""

    port: int
    asking: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    failed: list[float] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Clients":
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _ask(self) -> None:
        draw = random.Random(0)
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._ending.wait(1 / REQUESTS_S):
            if not self.asking.is_set():
                line.close()
                continue
            file = io.BytesIO()
            picture = scene((draw.randrange(4, 52), draw.randrange(4, 36)))
            Image.fromarray(picture).save(file, "JPEG")
            try:
                kind = {"Content-Type": "image/jpeg"}
                line.request("POST", "/v2/models/squares/infer", file.getvalue(), kind)
                answer = line.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                line.close()
                self.failed.append(time.monotonic())
                continue
            if answer.status == 200:
                self.answered += 1
            else:
                self.failed.append(time.monotonic())


@dataclass
class Site:
    """A site and whoever it has to do with; `published` releases so far."""

    state: State
    publisher: Publisher
    collector: Collector
    port: int
    published: int = 0

    def publish(self, engine: str) -> str:
        """Publish the next release, for `engine` alone; its version."""
        self.published += 1
        model = squares_onnx(gain=1 + self.published / 1e6)
        name = "openvino-f32" if engine == "openvino" else "onnx-fp32"
        built = with_reference(build(self.published, {name: model}))
        self.publisher.publish(built)
        return built.release.version

    def set(self, interval_s: float, every_s: float) -> None:
        """Write daemon.toml: how often it polls, and tells."""
        text = _SETTINGS.format(
            interval=interval_s, every=every_s, port=self.port, collector=self.collector.url
        )
        self.state.settings.write_text(text, encoding="utf-8")

    def command(self, *arguments: str) -> None:
        """Run `edge-runtime` on the site's state."""
        subprocess.run([*_program(self.state), *arguments], check=True, stdout=subprocess.DEVNULL)

    def slots(self) -> ModelSlots:
        """What the journal says of the model."""
        return load_journal(self.state.journal).of("squares")

    def runs(self, version: str) -> bool:
        """Whether `version` is active and committed."""
        slots = self.slots()
        return slots.active is not None and slots.active.version == version and not slots.dwelling

    def events(self, name: str) -> int:
        """How many such events the daemon has logged."""
        lines = (json.loads(line) for line in logs.read(self.state.logs))
        return sum(line.get("event") == name for line in lines)

    def taken_over(self) -> int:
        """How often a release has begun to answer: at a start, after a trial, or a way back."""
        return self.events("serving") + self.events("switched")

    @contextmanager
    def daemon(self) -> Iterator["subprocess.Popen[bytes]"]:
        """`edge-runtime run`, serving; it must end well on SIGTERM."""
        begun = self.taken_over()
        process = subprocess.Popen(
            [*_program(self.state), "run"],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": ""},
        )
        try:
            until(lambda: self.taken_over() > begun or process.poll() is not None)
            yield process
            process.send_signal(signal.SIGTERM)
            if process.wait(PATIENCE_S) != 0:
                raise RuntimeError(f"the daemon ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()


def until(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait until it holds. Raises RuntimeError when it does not come to pass."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"it did not come to pass in {seconds:g} s")
        time.sleep(0.1)


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A site with one release published."""
    (folder / "published").mkdir()
    server, collector = Server(folder / "published"), Collector()
    servers: list[Any] = [server, collector]
    for each in servers:
        threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True).start()
    try:
        publisher = Publisher(server.folder)
        state = State(folder / "state")
        enroll(state, Enrolment(server.url, "branch-0001", "north", publisher.root, QUOTA))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        found = Site(state, publisher, collector, port)
        found.publish("onnxruntime")
        yield found
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()


def _program(state: State) -> list[str]:
    return [sys.executable, "-m", "edge_runtime", "--state", str(state.folder)]


def with_reference(built: Built) -> Built:
    """The release with a reference of 200 of its pictures, so that drift is watched."""
    variant = built.release.variants[0]
    session = load(variant, {"model.onnx": built.blobs[variant.files["model.onnx"].sha256]}, 1)
    draw = random.Random(1)
    pictures = [scene((draw.randrange(4, 52), draw.randrange(4, 36))) for _ in range(200)]
    found = [decide("detection", session.run(one[None]), 0, 0.05) for one in pictures]
    said = [decisions_of(one, THRESHOLD) for one in found]
    reference = reference_of([inputs_of(one) for one in pictures], {variant.name: said}, 1)
    release = msgspec.structs.replace(built.release, reference=reference)
    return Built(release, built.blobs)
