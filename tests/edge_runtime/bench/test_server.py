"""The endpoint on loopback, with real clients: well-behaved, mistaken, slow and hostile ones."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.access import Access, access
from edge_runtime.bench import Plan, child, server
from edge_runtime.bench.server import BenchServer
from edge_runtime.contract import BenchResult, Host, decode, digest
from edge_runtime.errors import InputError

from ..certificates import self_signed
from ..models import squares_onnx
from .graphs import endless_onnx, external_onnx

pytestmark = pytest.mark.component

KNOCK = "a-token-of-some-length"
ADMITTED = {"Authorization": f"Bearer {KNOCK}"}
BENCH = "/v2/bench?seconds=0.2"


def running(made: BenchServer) -> Iterator[BenchServer]:
    with made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def box() -> Iterator[BenchServer]:
    yield from running(BenchServer(Access("127.0.0.1", 0, KNOCK), Plan(load_s=20.0)))


Answer = tuple[int, dict[str, str], bytes]


def ask(
    box: BenchServer,
    method: str = "POST",
    path: str = BENCH,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", box.server_address[1], timeout=60)
    connection.request(method, path, body, ADMITTED if headers is None else headers)
    return heard(connection.getresponse())


def heard(response: http.client.HTTPResponse) -> Answer:
    with response:
        return response.status, dict(response.headers), response.read()


def error(answer: Answer) -> tuple[int, str]:
    """The status, and the one thing that the JSON line says."""
    status, headers, body = answer
    assert headers["Content-Type"] == "application/json"
    assert body.count(b"\n") == 1
    (said,) = json.loads(body).items()
    assert said[0] == "error"
    return status, said[1]


def raw(box: BenchServer, text: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", box.server_address[1]), timeout=60)
    connection.sendall(text.replace("\n", "\r\n").encode())
    return connection


def rest(connection: socket.socket) -> Answer:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return heard(response)


def request(length: object, **headers: str) -> str:
    lines = {**ADMITTED, "Content-Length": str(length), **headers}
    return f"POST {BENCH} HTTP/1.1\n" + "".join(f"{k}: {v}\n" for k, v in lines.items()) + "\n"


def test_a_model_goes_in_and_its_latency_comes_out(box: BenchServer) -> None:
    model = squares_onnx()
    path = f"{BENCH}&engine=openvino&precision=bf16&threads=1"
    status, _, body = ask(box, path=path, body=model)
    assert status == 200
    found = decode(body, BenchResult, "answer")
    assert (found.file_sha256, found.bytes) == (digest(model), len(model))
    assert (found.engine, found.precision, found.threads) == ("openvino", "bf16", 1)
    assert list(box.levels[1]) == [found.reference_ms]
    assert list(box.folder.iterdir()) == []


def test_the_box_says_what_it_is_and_whether_it_is_there(box: BenchServer) -> None:
    assert ask(box, "GET", "/v2/health/ready", headers={})[0] == 200
    status, _, body = ask(box, "GET", "/v2/bench")
    assert status == 200
    assert "onnxruntime" in decode(body, Host, "answer").versions


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", f"Basic {KNOCK}", KNOCK])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_token_nothing_is_read(
    box: BenchServer, monkeypatch: pytest.MonkeyPatch, authorization: str, method: str
) -> None:
    monkeypatch.setattr(child, "COMMAND", ("/bin/false",))
    headers = {"Authorization": authorization} if authorization else {}
    answer = ask(box, method, body=squares_onnx(), headers=headers)
    assert error(answer) == (401, "the token is missing or wrong")
    assert answer[1]["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/", 404, "nothing here"),
        ("/v2/bench/", 404, "nothing here"),
        ("/v2/bench?engine=tensorflow", 400, r"engine"),
        ("/v2/bench?threads=0", 400, r"threads"),
        ("/v2/bench?seconds=1e9", 400, r"seconds"),
        ("/v2/bench?seconds=nan", 400, r"seconds"),
        ("/v2/bench?speed=1", 400, r"speed"),
        ("/v2/bench?threads", 400, "query"),
        ("/v2/bench?threads=255", 400, "255 threads on"),
        (f"{BENCH}&engine=onnxruntime&precision=bf16", 400, "as it is written"),
        (f"{BENCH}&precision=int8", 400, "is not quantized"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_why(
    box: BenchServer, path: str, status: int, says: str
) -> None:
    found, text = error(ask(box, path=path, body=squares_onnx()))
    assert found == status
    assert says in text


@pytest.mark.parametrize(
    ("model", "says"),
    [(b"no model", "is not an ONNX model"), (external_onnx(), "keeps weights in other files")],
)
def test_a_model_that_cannot_be_measured_is_told_why(
    box: BenchServer, model: bytes, says: str
) -> None:
    status, text = error(ask(box, body=model))
    assert status == 422
    assert says in text


@pytest.mark.parametrize(
    ("length", "status", "says"),
    [
        (str(server.MAX_BODY_BYTES + 1), 413, "is larger than"),
        ("0", 400, "is no number of bytes"),
        ("-1", 400, "is no number of bytes"),
        ("1e3", 400, "is no number of bytes"),
        ("9" * 30, 400, "is no number of bytes"),
    ],
)
def test_a_length_that_is_not_to_be_taken_is_refused_before_the_body(
    box: BenchServer, length: str, status: int, says: str
) -> None:
    with raw(box, request(length)) as connection:
        found, text = error(rest(connection))
    assert found == status
    assert says in text


def test_a_body_of_unknown_length_is_refused(box: BenchServer) -> None:
    start = f"POST {BENCH} HTTP/1.1\nAuthorization: Bearer {KNOCK}\nTransfer-Encoding: chunked\n\n"
    with raw(box, start + "5\nhello\n0\n\n") as connection:
        assert error(rest(connection))[0] == 411


def test_a_body_that_breaks_off_is_told(box: BenchServer) -> None:
    with raw(box, request(100) + "half") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert error(rest(connection)) == (400, "the body ended after 4 of 100 bytes")


def test_a_client_that_says_nothing_more_is_told_and_left(
    box: BenchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.5)
    with raw(box, request(100) + "half") as connection:
        assert error(rest(connection)) == (408, "the body does not come")


def test_a_body_that_comes_in_drops_ends(box: BenchServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE_S", 0.2)
    monkeypatch.setattr(server, "LEAST_RATE", 1e12)
    with raw(box, request(10_000_000)) as connection:
        connection.setblocking(False)
        while True:  # a byte at a time, until there is an answer
            try:
                connection.recv(1, socket.MSG_PEEK)
                break
            except BlockingIOError:
                connection.send(b"x")
        connection.settimeout(60)
        assert error(rest(connection)) == (408, "the body comes too slowly")


def test_headers_that_do_not_end_are_hung_up_on(
    box: BenchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    with raw(box, "POST /v2/bench HTTP/1.1\nAuthorization: ") as connection:
        assert connection.recv(100) == b""


def test_one_model_at_a_time_and_the_next_is_told_when_to_come_back(box: BenchServer) -> None:
    with box.measuring:
        answer = ask(box, body=squares_onnx())
    assert error(answer) == (503, "another model is being measured; try again")
    assert int(answer[1]["Retry-After"]) >= 1
    assert ask(box, body=squares_onnx())[0] == 200


def test_a_large_body_that_is_not_wanted_does_not_swallow_the_answer(box: BenchServer) -> None:
    with box.measuring:
        assert ask(box, body=bytes(8 * 2**20))[0] == 503


def test_a_client_that_asks_first_sends_nothing_in_vain(box: BenchServer) -> None:
    model = squares_onnx()
    with box.measuring, raw(box, request(len(model), Expect="100-continue")) as connection:
        assert rest(connection)[0] == 503
    with raw(box, request(len(model), Expect="100-continue")) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(model)
        assert rest(connection)[0] == 200


def test_a_model_that_hangs_is_ended_and_the_server_goes_on(box: BenchServer) -> None:
    box.plan = replace(box.plan, load_s=2.0)
    status, text = error(ask(box, body=endless_onnx()))
    assert status == 422
    assert "took longer than 2 s" in text
    box.plan = replace(box.plan, load_s=20.0)
    assert ask(box, body=squares_onnx())[0] == 200


def test_more_connections_than_it_has_threads_for_are_hung_up_on(
    box: BenchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = [raw(box, "GET ") for _ in range(server.MAX_CONNECTIONS)]
    with raw(box, "GET ") as late, contextlib.suppress(ConnectionResetError):
        assert late.recv(100) == b""
    for connection in idle:
        connection.close()


def test_what_http_itself_refuses_is_json_too(box: BenchServer) -> None:
    for text in ("nonsense\n\n", "BREW /pot HTTP/1.1\n\n", f"GET /{'x' * 70000} HTTP/1.1\n\n"):
        with raw(box, text) as connection:
            answer = connection.makefile("rb").read()
            assert b'{"error": ' in answer


def test_beyond_loopback_it_speaks_tls(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    (tmp_path / "token").write_text(KNOCK)
    made = BenchServer(access("0.0.0.0:0", tmp_path / "token", cert, key))
    for box in running(made):
        assert box.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(cert))
        port = box.server_address[1]
        with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
            plain.sendall(b"GET /v2/health/ready HTTP/1.1\r\n\r\n")  # no TLS: no answer
            assert not plain.recv(100).startswith(b"HTTP")
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
        connection.request("POST", BENCH, squares_onnx(), ADMITTED)
        assert heard(connection.getresponse())[0] == 200


def test_a_port_that_is_taken_is_one_line(box: BenchServer) -> None:
    with pytest.raises(InputError, match="cannot listen on 127"):
        BenchServer(Access("127.0.0.1", box.server_address[1], KNOCK))


def test_its_folder_goes_with_it() -> None:
    made = BenchServer(Access("127.0.0.1", 0, KNOCK))
    assert made.folder.is_dir()
    assert made.folder.stat().st_mode & 0o077 == 0
    made.server_close()
    assert not made.folder.exists()
