"""Cameras for tests: files, and a web server that shows pictures as long as it is told to."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import av
import numpy as np
import simplejpeg

from edge_runtime.engines import UInt8

from ..models import scene
from ..serving import Handler

WIDTH, HEIGHT, FPS = 128, 96, 20
Codec = Literal["mpeg4", "libx264"]
BOUNDARY = b"--next"


def squares(*corners: tuple[int, int]) -> UInt8:
    """A dark picture with squares that the model of squares finds when it is half as large."""
    picture = scene(size=(WIDTH, HEIGHT))
    for x, y in corners:
        picture[y : y + 16, max(0, x) : max(0, x + 16)] = 255
    return picture


def crossing(index: int) -> UInt8:
    """Of 40 pictures: a square goes from the left to the right, another one comes back."""
    return squares((10 + 2 * index, 14), (110 - 2 * index, 64))


def room(index: int) -> UInt8:
    """A scene with much texture, and a sensor's noise."""
    draw = np.random.default_rng(1)
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.float64)
    for _ in range(150):
        x, y = int(draw.integers(0, WIDTH)), int(draw.integers(0, HEIGHT))
        w, h = (int(side) for side in draw.integers(4, 24, 2))
        picture[y : y + h, x : x + w] = draw.integers(20, 220, 3)
    noise = np.random.default_rng(index).normal(0, 3, (HEIGHT, WIDTH, 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def covered(index: int) -> UInt8:
    """What the same camera shows behind a hand."""
    noise = np.random.default_rng(index).normal(0, 3, (HEIGHT, WIDTH, 1))
    return np.clip(70 + noise + np.zeros((HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def film(
    path: Path, count: int, shown: Callable[[int], UInt8], fps: int = FPS, codec: Codec = "mpeg4"
) -> Path:
    """A video file of `count` pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 4_000_000
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(shown(index), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class WebCamera:
    """Answers as an MJPEG camera does: picture after picture in one response, while `on`.

    Each connection ends after `most` pictures; then nothing comes, and it stays open, if it
    `hangs`. `close` ends all of it.
    """

    def __init__(self, shown: Callable[[int], UInt8], most: int = 10**9) -> None:
        self.shown, self.most = shown, most
        self.hangs = False
        self.connections = 0
        self._closing = threading.Event()

    def __call__(self, handler: Handler) -> None:
        """Answer one request."""
        self.connections += 1
        handler.send_response(200)
        handler.send_header(
            "Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY[2:].decode()}"
        )
        handler.end_headers()
        handler.close_connection = True
        try:
            for index in range(self.most):
                data = simplejpeg.encode_jpeg(np.ascontiguousarray(self.shown(index)), quality=90)
                head = b"\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                handler.wfile.write(BOUNDARY + head + data + b"\r\n")
                if self._closing.wait(1 / FPS):
                    return
            if self.hangs:
                self._closing.wait()
        except OSError:  # whoever looked has gone
            return

    def close(self) -> None:
        """End every answer."""
        self._closing.set()
