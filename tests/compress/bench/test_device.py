"""`DeviceBench` against the runtime's own endpoint, and against what may stand in its place."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.access import access
from edge_runtime.bench.server import BenchServer
from edge_runtime.contract import digest
from edgefactory.compress.bench import DeviceBench
from edgefactory.datasets.errors import InputError, MissingError

from ...edge_runtime.certificates import self_signed
from .conftest import GOLDEN, KNOCK


def device(box: BenchServer, token: str = KNOCK) -> DeviceBench:
    return DeviceBench(box.url, token, seconds=0.2)


@pytest.mark.component
def test_a_model_is_measured_where_the_device_is(box: BenchServer, detector: bytes) -> None:
    found = device(box).measure(detector, "openvino", "bf16", 1)
    assert (found.file_sha256, found.engine) == (digest(detector), "openvino")
    assert found.precision == "bf16"
    assert device(box).host() == found.host
    assert device(box).where == box.url


@pytest.mark.component
def test_what_the_device_refuses_is_told_in_its_words(box: BenchServer, detector: bytes) -> None:
    with pytest.raises(InputError, match=rf"{box.url}: .* is not an ONNX model"):
        device(box).measure(b"no model", "onnxruntime", "f32", 1)
    with pytest.raises(InputError, match="is not quantized"):
        device(box).measure(detector, "onnxruntime", "int8", 1)


@pytest.mark.component
def test_a_wrong_token_is_named(box: BenchServer) -> None:
    with pytest.raises(InputError, match="refuses the token; give the one that its own --token"):
        device(box, "another-token-altogether").host()


@pytest.mark.component
def test_a_model_that_is_too_large_is_told(
    box: BenchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.bench.server.MAX_BODY_BYTES", 1000)
    with pytest.raises(InputError, match="the model is larger than 1000 bytes"):
        device(box).measure(bytes(2000), "onnxruntime", "f32", 1)


@pytest.mark.component
def test_a_busy_device_is_asked_again(box: BenchServer, detector: bytes) -> None:
    box.measuring.acquire()
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            box.measuring.release()

    patient = DeviceBench(box.url, KNOCK, seconds=0.2, wait=wait)
    assert patient.measure(detector, "onnxruntime", "f32", 1).calls > 0
    assert len(waited) == 2


@pytest.mark.component
def test_a_device_that_stays_busy_is_given_up(box: BenchServer, detector: bytes) -> None:
    waited: list[float] = []
    hasty = DeviceBench(box.url, KNOCK, patience_s=5.0, wait=waited.append)
    with box.measuring, pytest.raises(MissingError, match="measuring other models for 5 s"):
        hasty.measure(detector, "onnxruntime", "f32", 1)
    assert 0 < sum(waited) <= 5.0


def test_a_device_that_is_not_there_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(MissingError, match=r"does not answer .*; is `edge-runtime bench --listen`"):
        DeviceBench(f"http://127.0.0.1:{port}", KNOCK).host()


@pytest.mark.component
def test_a_certificate_must_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detector: bytes
) -> None:
    cert, key = self_signed(tmp_path)
    (tmp_path / "token").write_text(KNOCK)
    made = BenchServer(access("127.0.0.1:0", tmp_path / "token", cert, key))
    with made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        with pytest.raises(InputError, match=r"certificate that is not trusted .*SSL_CERT_FILE"):
            device(made).host()
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        assert device(made).measure(detector, "onnxruntime", "f32", 1).calls > 0
        made.shutdown()
        thread.join()


@pytest.mark.component
def test_https_to_what_speaks_http_is_told(box: BenchServer) -> None:
    with pytest.raises(InputError, match="does not speak TLS as it should"):
        DeviceBench(box.url.replace("http:", "https:"), KNOCK).host()


@contextmanager
def impostor(status: int, body: bytes) -> Iterator[str]:
    """A server that gives one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - their names there

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<html>", "does not answer as edge-runtime does"),
        (200, b"{}", "does not answer as edge-runtime does"),
        (200, bytes(2**20 + 1), "answers more than 1048576 bytes"),
        (200, GOLDEN.read_bytes(), "answers about another model than it was sent"),
        (404, b"<html>", "answers 404, not as edge-runtime does; is `edge-runtime bench --listen`"),
        (302, b"", "answers 302"),
        (507, b'{"error": "the box cannot take the model"}', "the box cannot take the model"),
    ],
)
def test_what_is_no_bench_is_told(status: int, body: bytes, says: str) -> None:
    with impostor(status, body) as url, pytest.raises(InputError, match=says) as caught:
        DeviceBench(url, KNOCK).measure(b"m", "onnxruntime", "f32", 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://192.0.2.1:8900", "would show token and model to the network; use https"),
        ("192.0.2.1:8900", "is no address of a device"),
        ("https://me:secret@box", "is no address of a device"),
        ("https://box:99999", "is no address of a device"),
        ("ftp://box", "is no address of a device"),
        ("https://box?x=1", "is no address of a device"),
        ("", "is no address of a device"),
    ],
)
def test_an_address_that_would_not_do_is_refused_at_once(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        DeviceBench(url, KNOCK)
