"""What is served is what the contract, the session and `decide` say, to the bit."""

import json
import logging
import socket
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg

from edge_runtime.contract import audio_picture, decide, preprocess
from edge_runtime.given import sequence
from edge_runtime.hosting import Host
from edge_runtime.pictures import decode_picture
from edge_runtime.serving import Server
from edge_runtime.streams.sources import read_picture

from ..models import scene
from ..recordings import AUDIO, tone
from .loading import RELEASE, Said, ask, get, hear, post

pytestmark = pytest.mark.component

UInt8 = npt.NDArray[np.uint8]
SQUARES = "/v2/models/squares"


def _busy(seed: int, width: int = 237, height: int = 181) -> UInt8:
    """A picture with a few bright blocks, of no size that divides the input's."""
    chance = np.random.default_rng(seed)
    picture = chance.integers(0, 90, (height, width, 3), np.uint8)
    for _ in range(3):
        x, y = chance.integers(0, width - 40), chance.integers(0, height - 40)
        picture[y : y + 40, x : x + 40] = 255
    return picture


def _jpeg(picture: UInt8) -> bytes:
    data: bytes = simplejpeg.encode_jpeg(picture, quality=90)
    return data


def _expected(host: Host, data: bytes, folder: Path) -> list[dict[str, Any]]:
    """As `edge-runtime run` decides: the file read, `preprocess`, the session, `decide`."""
    (folder / "picture.jpg").write_bytes(data)
    loaded = host.get("squares")
    release = loaded.active.release
    given, place = preprocess(read_picture(folder / "picture.jpg"), release.input)
    outputs = loaded.session.run(given[None])
    found = decide(release.task, outputs, 0, release.operating_point.score_threshold)
    boxes = place.to_picture(np.asarray(found.boxes, np.float32).reshape(-1, 4)).tolist()
    return [
        {"label": release.labels[label], "class": label, "score": score, "box": box}
        for label, score, box in zip(found.labels, found.scores, boxes, strict=True)
    ]


def test_a_posted_picture_is_decided_as_everywhere(
    server: Server, host: Host, tmp_path: Path
) -> None:
    decisions = 0
    for seed in range(5):
        data = _jpeg(_busy(seed))
        said = ask(server.port, post(f"{SQUARES}/infer", data, "Content-Type: image/jpeg"))
        assert said.status == 200
        assert said.json["decisions"] == _expected(host, data, tmp_path)
        assert (said.json["width"], said.json["height"]) == (237, 181)
        assert said.json["release"] == RELEASE
        decisions += len(said.json["decisions"])
    assert decisions > 5


def test_a_class_has_its_label(server: Server) -> None:
    data = _jpeg(np.full((20, 20, 3), 250, np.uint8))
    said = ask(server.port, post("/v2/models/digits/infer", data, "Content-Type: image/jpeg"))
    assert [(d["label"], d["class"]) for d in said.json["decisions"]] == [("9", 9)]
    assert "box" not in said.json["decisions"][0]


def test_an_embedding_is_the_graphs_output(server: Server, host: Host) -> None:
    data = _jpeg(_busy(4))
    given, _ = preprocess(decode_picture(data, "it"), host.get("colours").active.release.input)
    expected = host.get("colours").session.run(given[None])["embedding"][0].tolist()
    path = "/v2/models/colours/infer"
    said = ask(server.port, post(path, data, "Content-Type: image/jpeg"))
    assert said.json["embedding"] == expected
    said = ask(server.port, _file_in_a_document(path, data))
    assert said.json["outputs"] == [
        {"name": "embedding", "datatype": "FP32", "shape": [1, 3], "data": expected}
    ]


def test_a_recording_is_decided_as_everywhere(server: Server, host: Host) -> None:
    data, loaded = tone(AUDIO.samples - 5), host.get("words")
    picture = audio_picture(sequence(data, AUDIO, "it"), AUDIO)
    given, _ = preprocess(picture, loaded.active.release.input)
    found = decide("classification", loaded.session.run(given[None]), 0, 0.0)
    path = "/v2/models/words/infer"
    said = ask(server.port, post(path, data, "Content-Type: audio/wav"))
    assert [(d["class"], d["score"]) for d in said.json["decisions"]] == [
        (found.labels[0], found.scores[0])
    ]
    said = ask(server.port, _file_in_a_document(path, data))
    assert said.json["outputs"][0]["data"] == list(found.labels)
    long = post(path, tone(AUDIO.samples + 1), "Content-Type: audio/wav")
    assert ask(server.port, long).status == 400
    assert ask(server.port, get("/live/words")).status == 404  # no picture came
    assert ask(server.port, get("/v2/models/words")).json["parameters"]["signal"]["rate"] == 8000
    assert ask(server.port, post(f"{SQUARES}/infer", data, "Content-Type: audio/wav")).status == 400


def _file_in_a_document(path: str, data: bytes) -> bytes:
    document = b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES"}]}'
    length = f"Inference-Header-Content-Length: {len(document)}"
    return post(path, document + data, length)


def test_a_batch_gets_the_graphs_outputs(server: Server, host: Host) -> None:
    batch = np.stack([scene((8, 8)), scene()])
    given = {"name": "image", "shape": [*batch.shape], "datatype": "UINT8", "data": batch.tolist()}
    request = json.dumps({"inputs": [given], "id": "a", "outputs": [{"name": "scores"}]}).encode()
    said = ask(server.port, post(f"{SQUARES}/versions/1.0.0/infer", request))
    assert (said.json["id"], said.json["model_version"]) == ("a", "1.0.0")
    scores = host.get("squares").session.run(batch)["scores"]
    assert said.json["outputs"] == [
        {"name": "scores", "datatype": "FP32", "shape": [2, 8], "data": scores.ravel().tolist()}
    ]


def test_a_model_says_what_it_takes_and_decides(server: Server) -> None:
    said = ask(server.port, get(SQUARES)).json
    assert said["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 48, 64, 3]}]
    assert said["parameters"]["labels"] == ["square"]
    assert said["parameters"]["release"] == RELEASE


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2", 200),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        (f"{SQUARES}/ready", 200),
        (f"{SQUARES}/versions/1.0.0", 200),
        (f"{SQUARES}/versions/9.0.0/ready", 404),
        ("/v2/models/circles", 404),
        ("/v2/models/../etc", 404),
        (f"{SQUARES}/infer", 405),
        ("/nothing", 404),
        ("/v2/repository/index", 403),
        ("/live/circles", 404),
    ],
)
def test_paths(server: Server, path: str, status: int) -> None:
    said = ask(server.port, get(path))
    assert said.status == status
    assert ("error" in said.json) is (status != 200)


def _over(path: Path, request: bytes) -> Said:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        client.sendall(request)
        return hear(client)


def test_the_socket_serves_and_shows_the_repository(server: Server, unix_path: Path) -> None:
    assert unix_path.stat().st_mode & 0o777 == 0o600
    said = _over(unix_path, get("/v2/repository/index"))
    known = {"colours": "2.0.0", "digits": "2.0.0", "squares": "1.0.0", "words": "2.0.0"}
    assert said.json == [
        {"name": name, "version": version, "state": "READY", "reason": ""}
        for name, version in known.items()
    ]
    said = _over(unix_path, post("/v2/repository/models/squares/unload", b""))
    assert said.status == 403
    assert "rollouts decide" in said.json["error"]
    data = _jpeg(_busy(1))
    said = _over(unix_path, post(f"{SQUARES}/infer", data, "Content-Type: image/jpeg"))
    assert said.status == 200


def test_the_page_shows_what_runs_and_the_last_picture(server: Server) -> None:
    data = _jpeg(_busy(2))
    found = ask(server.port, post(f"{SQUARES}/infer", data, "Content-Type: image/jpeg")).json
    page = ask(server.port, get("/"))
    assert page.headers["content-type"].startswith("text/html")
    assert b"http://" not in page.body.replace(b"http://www.w3.org/2000/svg", b"")
    said = ask(server.port, get("/status.json")).json
    model = next(m for m in said["models"] if m["name"] == "squares")
    assert (model["version"], model["release"]) == ("1.0.0", RELEASE)
    boxes = [mark["box"] for mark in model["live"]["marks"]]
    assert boxes == [decision["box"] for decision in found["decisions"]]
    assert said["recent"]
    assert said["panels"][0]["title"] == "Drift"
    assert ask(server.port, get("/live/squares")).body == data


def test_metrics_count_by_model_and_code(server: Server) -> None:
    bad = ask(server.port, post("/v2/models/digits/infer", b"x", "Content-Type: image/png"))
    assert bad.status == 400
    text = ask(server.port, get("/metrics")).body.decode()
    assert 'edge_runtime_requests_total{model="digits",code="400"} ' in text
    assert 'edge_runtime_model_info{model="squares",version="1.0.0"' in text


def test_each_request_is_a_line_of_json(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "edge_runtime.serving.access"):
        ask(server.port, get('/v2/"quoted"'))
    line = json.loads(caplog.records[-1].getMessage())
    assert (line["method"], line["path"], line["status"]) == ("GET", '/v2/"quoted"', 404)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image/jpeg", b""),
        ("image/jpeg", b"\xff\xd8\xff\xe0" + b"\0" * 100),
        ("image/jpeg", _jpeg(_busy(3))[:500]),
        ("image/png", b"\x89PNG\r\n\x1a\n" + b"\0" * 30),
        # a header that claims 60,000 × 60,000 pixels
        (
            "image/png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0\x8a\xd2\xa6\xc4",
        ),
        ("image/png", b"GIF89a"),
        ("application/json", b"{}"),
        ("", b"\0"),
    ],
)
def test_bad_bodies_are_the_clients_fault(server: Server, kind: str, body: bytes) -> None:
    said = ask(server.port, post(f"{SQUARES}/infer", body, f"Content-Type: {kind}"))
    assert said.status == 400
    assert said.body.count(b"\n") == 1
    assert said.json["error"]
