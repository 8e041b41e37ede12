"""`edge-runtime bench`, as a user types it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge_runtime.cli import main
from edge_runtime.contract import BenchResult

from ..models import squares_onnx

KNOCK = "a-token-of-some-length"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "model.onnx"
    path.write_bytes(squares_onnx())
    return path


@pytest.mark.component
def test_a_file_is_measured(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(model), "--seconds", "0.2"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("model.onnx on onnxruntime ")
    assert "f32, 1 thread: " in said
    assert (model.parent / "cache" / "edge-runtime" / "level.json").is_file()


@pytest.mark.component
def test_json_is_the_document(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = ["bench", str(model), "--engine", "openvino", "--precision", "bf16"]
    assert main([*asked, "--seconds", "0.2", "--json"]) == 0
    found = msgspec.json.decode(capfd.readouterr().out, type=BenchResult)
    assert (found.engine, found.precision) == ("openvino", "bf16")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ([], 2, "give a FILE to measure it, or --listen"),
        (["m", "--listen", "127.0.0.1:0"], 2, "one of the two"),
        (["gone.onnx"], 3, "gone.onnx does not exist; expected a model"),
        (["--listen", "127.0.0.1:0"], 2, "--listen needs --token-file"),
        (["--listen", "127.0.0.1:0", "--token-file", "gone"], 3, "gone does not exist"),
    ],
)
def test_what_does_not_fit_is_one_line(
    options: list[str], code: int, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *options]) == code
    said = capfd.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "601", "soon"])
def test_seconds_are_a_number_of_them(seconds: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "m.onnx", "--seconds", seconds])
    assert "is no number of seconds up to 600" in capfd.readouterr().err


@pytest.mark.component
def test_it_listens_until_it_is_told_to_end(model: Path) -> None:
    token = model.with_name("token")
    token.write_text(KNOCK)
    command = [sys.executable, "-m", "edge_runtime", "--json", "bench", "--listen", "127.0.0.1:0"]
    scratch = model.parent / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [*command, "--token-file", str(token)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    ) as process:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/v2/health/ready")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert list(scratch.iterdir()) == []
