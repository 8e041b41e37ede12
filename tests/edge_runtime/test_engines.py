"""Each engine that is here runs the same graph from bytes; those that are not say how to come."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import engines
from edge_runtime.contract import Engine, FileRef, Variant, decide
from edge_runtime.engines import cuda
from edge_runtime.errors import MissingError, RefusedError

from .models import brightness_onnx, scene, squares_onnx

ZERO = "0" * 64


def variant(engine: Engine = "onnxruntime", main: str = "model.onnx") -> Variant:
    """A variant of one file for `engine`."""
    files = {"model.onnx": FileRef(ZERO, 1)}
    return Variant("model", engine, "f32", ("cpu",), main, files)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_runs_a_graph_from_bytes(engine: Engine) -> None:
    session = engines.load(variant(engine), {"model.onnx": squares_onnx()}, 1)
    pictures = np.stack([scene((8, 8)), scene((20, 30), (44, 4))])
    outputs = session.run(pictures)
    assert decide("detection", outputs, 0, 0.9).boxes == ((8.0, 8.0, 16.0, 16.0),)
    assert set(decide("detection", outputs, 1, 0.9).boxes) == {
        (20.0, 30.0, 28.0, 38.0),
        (44.0, 4.0, 52.0, 12.0),
    }


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_session_says_what_it_takes_whatever_it_has_run(engine: Engine) -> None:
    session = engines.load(variant(engine), {"model.onnx": squares_onnx()}, 1)
    for count in (1, 3, 1):
        assert session.run(np.zeros((count, 48, 64, 3), np.uint8))["scores"].shape == (count, 8)
        assert session.input == ("uint8", (None, 48, 64, 3))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_outputs_stay_what_they_were_when_the_engine_runs_again(engine: Engine) -> None:
    session = engines.load(variant(engine), {"model.onnx": brightness_onnx()}, 1)
    dark = session.run(np.zeros((1, 8, 8, 3), np.uint8))["probabilities"]
    before = dark.copy()
    session.run(np.full((1, 8, 8, 3), 255, np.uint8))
    assert np.array_equal(dark, before)
    assert int(np.argmax(dark)) == 0


@pytest.mark.component
def test_openvino_runs_an_ir_of_two_files() -> None:
    import openvino

    model = openvino.Core().read_model(brightness_onnx())
    xml, weights = _serialized(openvino, model)
    two = Variant("ir", "openvino", "f32", ("cpu",), "model.xml", {})
    session = engines.load(two, {"model.xml": xml, "model.bin": weights}, 1)
    outputs = session.run(np.full((1, 8, 8, 3), 140, np.uint8))
    assert decide("classification", outputs, 0, 0.0).labels == (5,)


def _serialized(openvino: object, model: object) -> tuple[bytes, bytes]:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "model.xml"
        openvino.save_model(model, xml, compress_to_fp16=False)  # type: ignore[attr-defined]  # a module
        return xml.read_bytes(), xml.with_suffix(".bin").read_bytes()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("damage", [b"", b"not a model", None])
def test_a_damaged_model_is_refused_in_one_line(engine: Engine, damage: bytes | None) -> None:
    data = squares_onnx()[:200] if damage is None else damage
    with pytest.raises(RefusedError, match=r"cannot load model\.onnx") as caught:
        engines.load(variant(engine), {"model.onnx": data}, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_wrong_input_is_refused(engine: Engine) -> None:
    session = engines.load(variant(engine), {"model.onnx": brightness_onnx()}, 1)
    with pytest.raises(RefusedError, match="cannot run the model"):
        session.run(np.zeros((1, 9, 9, 3), np.uint8))


def test_a_variant_without_its_main_file_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"has no file model\.xml"):
        engines.load(variant(main="model.xml"), {"model.onnx": b""}, 1)


def test_an_engine_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for name in engines.ENGINES:
        with pytest.raises(MissingError, match="pip install"):
            engines.load(variant(name), {"model.onnx": b""}, 1)


@pytest.mark.skipif(cuda.capability() is not None, reason="this box has an NVIDIA card")
def test_tensorrt_without_a_card_is_missing_not_broken() -> None:
    with pytest.raises(MissingError, match=r"NVIDIA|tensorrt-rtx"):
        engines.load(variant("tensorrt-rtx", "model.engine"), {"model.engine": b""}, 1)


@pytest.mark.component
@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
)
def test_tensorrt_has_every_name_that_the_engine_uses() -> None:
    """Without a card an engine cannot run, but a renamed call would be seen here."""
    import tensorrt_rtx

    from edge_runtime.engines import trt

    assert callable(trt.load)
    for owner, names in {
        tensorrt_rtx.Runtime: ("deserialize_cuda_engine",),
        tensorrt_rtx.ICudaEngine: (
            "create_execution_context",
            "get_tensor_dtype",
            "get_tensor_mode",
            "get_tensor_name",
            "num_io_tensors",
        ),
        tensorrt_rtx.IExecutionContext: (
            "execute_async_v3",
            "get_tensor_shape",
            "set_input_shape",
            "set_tensor_address",
        ),
    }.items():
        assert not [name for name in names if not hasattr(owner, name)]
    assert tensorrt_rtx.TensorIOMode.INPUT
    assert tensorrt_rtx.nptype(tensorrt_rtx.int64) is np.int64


LOADING = """
import sys, edge_runtime
from edge_runtime.engines import ort
with open(sys.argv[1], "rb") as file:
    ort.load({"m": file.read()}, "m", "f32", 1)
"""


def test_onnxruntime_tells_nobody_of_this_box(tmp_path: Path) -> None:
    """Its telemetry begins with a device id and a database of events in the home."""
    model, home = tmp_path / "model", tmp_path / "home"
    model.write_bytes(squares_onnx())
    home.mkdir()
    kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    subprocess.run(
        [sys.executable, "-c", LOADING, str(model)], env={**kept, "HOME": str(home)}, check=True
    )
    assert list(home.rglob("*")) == []
    assert os.environ["ORT_DISABLE_TELEMETRY"]
