"""`edgefactory bench`, here and at a device's address."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.access import Access
from edge_runtime.bench.server import BenchServer
from edgefactory.pipelines import main

from ..edge_runtime.bench.graphs import quantized_onnx
from ..edge_runtime.models import squares_onnx

KNOCK = "a-token-of-some-length"
SHORT = ("--seconds", "0.2")


@pytest.fixture
def model(tmp_path: Path, cache: Path) -> Path:
    """A detector; what is remembered of this machine goes into `cache`."""
    path = tmp_path / "squares.onnx"
    path.write_bytes(squares_onnx())
    return path


@pytest.fixture
def box() -> Iterator[BenchServer]:
    with BenchServer(Access("127.0.0.1", 0, KNOCK)) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.component
def test_files_and_engines_are_one_table(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = model.with_name("small.onnx")
    small.write_bytes(quantized_onnx())
    asked = ["bench", str(model), str(small), "--precision", "f32,bf16,int8", *SHORT]
    assert main(asked) == 0
    table = capfd.readouterr().out
    rows = [line.split()[:3] for line in table.splitlines() if ".onnx" in line]
    assert rows == [
        ["squares.onnx", "onnxruntime", "f32"],
        ["squares.onnx", "openvino", "f32"],
        ["squares.onnx", "openvino", "bf16"],
        ["small.onnx", "onnxruntime", "int8"],
        ["small.onnx", "openvino", "int8"],
    ]
    assert "GFLOP/s" in table


@pytest.mark.component
def test_json_has_results_and_failures(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = model.with_name("broken.onnx")
    broken.write_bytes(squares_onnx().replace(b"TopK", b"TopX"))
    asked = ["--json", "bench", str(model), str(broken), "--engine", "onnxruntime", *SHORT]
    assert main(asked) == 0
    found = json.loads(capfd.readouterr().out)
    first, second = found["rows"]
    assert first["result"]["schema"] == "bench/1"
    assert first["result"]["peak_gflops"] <= found["peak_gflops"]
    assert "cannot load broken.onnx" in second["error"]


@pytest.mark.component
def test_a_device_is_asked_over_http(
    model: Path, box: BenchServer, capfd: pytest.CaptureFixture[str]
) -> None:
    token = model.with_name("token")
    token.write_text(KNOCK)
    there = ("--device", box.url, "--token-file", str(token))
    assert main(["bench", str(model), "--engine", "openvino", *there, *SHORT]) == 0
    assert "squares.onnx   openvino" in capfd.readouterr().out
    token.write_text("another-token-altogether")
    assert main(["bench", str(model), *there, *SHORT]) == 2
    assert "refuses the token" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["gone.onnx"], 3, "gone.onnx is not there"),
        (["MODEL", "--threads", "0"], 2, "--threads is 1 to 256"),
        (["MODEL", "--seconds", "nan"], 2, "--seconds at most 600"),
        (["MODEL", "--device", "https://box"], 2, "--device and --token-file belong together"),
        (["MODEL", "--precision", "int8"], 2, "squares.onnx is not quantized"),
        (["MODEL", "--device", "https://box", "--token-file", "gone"], 3, "gone does not exist"),
    ],
)
def test_what_does_not_fit_is_one_line(
    model: Path, options: list[str], code: int, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [str(model) if option == "MODEL" else option for option in options]
    assert main(["bench", *given]) == code
    error = capfd.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_an_unknown_engine_is_named(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", str(model), "--engine", "onnxruntime,tensorflow"])
    assert "'tensorflow' is none of onnxruntime, openvino" in capfd.readouterr().err
