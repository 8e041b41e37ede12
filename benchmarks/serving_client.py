"""What asks the servers of `runtime-overhead` and `runtime-peers`: one model, one picture, bare
sockets, so that what is measured is the server and not its client."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

HERE = Path(__file__).parent
START_S = 120.0

_EXPORT = """
import sys, torch, torchvision
class Graph(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torchvision.models.mobilenet_v3_small(weights=None)
    def forward(self, image):
        values = image.permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.net(values).softmax(1)
torch.manual_seed(0)
torch.onnx.export(
    Graph().eval(), (torch.zeros(1, 224, 224, 3, dtype=torch.uint8),), sys.argv[1], dynamo=False,
    input_names=["image"], output_names=["probabilities"],
    dynamic_axes={"image": {0: "N"}, "probabilities": {0: "N"}},
)
"""


def export_model(folder: Path) -> Path:
    """MobileNetV3-small, untrained, 10 MB: pictures in, probabilities out. torch stays outside."""
    path = folder / "model.onnx"
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, str(path)], capture_output=True, text=True, check=False
    )
    if not path.is_file():
        raise RuntimeError(f"the model was not exported: {done.stderr[-500:]}")
    return path


def picture() -> bytes:
    """A JPEG of 640×480 with soft and sharp parts, the same each time."""
    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 256, (24, 32, 3), np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC))
    noisy = soft.astype(np.int16) + chance.integers(-9, 10, soft.shape, np.int16)
    sharp: bytes = simplejpeg.encode_jpeg(np.clip(noisy, 0, 255).astype(np.uint8), quality=85)
    assert Image.open(io.BytesIO(sharp)).size == (640, 480)
    return sharp


def request(path: str, body: bytes) -> bytes:
    """A POST of a JPEG."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: image/jpeg",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "\r\n"]).encode() + body


class Client:
    """A connection that is kept. `where` is a port of the loopback or a unix socket."""

    def __init__(self, where: int | Path) -> None:
        if isinstance(where, Path):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(60)
            self._socket.connect(str(where))
        else:
            self._socket = socket.create_connection(("127.0.0.1", where), 60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, data: bytes) -> bytes:
        """Send a request; the body of its answer, which must be a 200. Raises OSError."""
        self._socket.sendall(data)
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            head += self._more()
        head, _, body = head.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            body += self._more()
        if not head.startswith(b"HTTP/1.1 200"):
            raise OSError(f"it answered {head[:60]!r}: {body[:200]!r}")
        return body

    def _more(self) -> bytes:
        data = self._socket.recv(262144)
        if not data:
            raise OSError("the server hung up")
        return data

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class Running:
    """A server's process, and seconds from its start to its first answer about a picture."""

    pid: int
    start_s: float

    def memory_mb(self) -> float:
        """Proportional set size of the process and all that it started."""
        total = 0
        for pid in _family(self.pid):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


@contextmanager
def running(command: Sequence[str], port: int, asked: bytes, folder: Path) -> Iterator[Running]:
    """The server that `command` starts, once it answers `asked`. Raises RuntimeError."""
    log = folder / "server.log"
    modules = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": modules}
    with log.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=file, stderr=file, cwd=folder, env=environment, start_new_session=True
        )
    try:
        while not _answers(port, asked):
            if process.poll() is not None or time.perf_counter() - began > START_S:
                raise RuntimeError(f"no answer from {command[:3]}: {log.read_text()[-800:]}")
            time.sleep(0.005)
        yield Running(process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, asked: bytes) -> bool:
    try:
        client = Client(port)
    except OSError:
        return False
    try:
        client.ask(asked)
    except OSError:
        return False
    finally:
        client.close()
    return True
