"""OpenVINO IR in float and by NNCF."""

import numpy as np
import numpy.typing as npt
import pytest

from edge_runtime.contract import Outputs
from edgefactory.compress import engines
from edgefactory.compress.openvino_ir import to_int8_ir, to_ir

UInt8 = npt.NDArray[np.uint8]

pytestmark = pytest.mark.component


def test_the_float_ir_decides_as_the_onnx_model(detector: bytes, batch: UInt8) -> None:
    ir = to_ir(detector)
    found = engines.load("openvino", ir, "model.xml", "f32", 1).run(batch)
    expected = engines.load("onnxruntime", {"m": detector}, "m", "f32", 1).run(batch)
    np.testing.assert_allclose(_scores(found), _scores(expected), atol=1e-5)


def test_int8_is_close_smaller_and_leaves_the_decoding_alone(
    detector: bytes, pictures: list[UInt8], batch: UInt8
) -> None:
    seen: list[int] = []
    ir = to_int8_ir(detector, pictures, seen=seen.append)
    assert seen[-1] == len(pictures)
    assert len(ir["model.bin"]) < 0.6 * len(to_ir(detector)["model.bin"])
    assert b'element_type="i8"' in ir["model.xml"]
    found = engines.load("openvino", ir, "model.xml", "int8", 1).run(batch)
    expected = engines.load("onnxruntime", {"m": detector}, "m", "f32", 1).run(batch)
    assert np.median(np.abs(_scores(found) - _scores(expected))) < 0.005


def test_the_same_pictures_give_the_same_bytes(detector: bytes, pictures: list[UInt8]) -> None:
    assert to_int8_ir(detector, pictures) == to_int8_ir(detector, pictures)


def _scores(outputs: Outputs) -> npt.NDArray[np.float32]:
    return np.asarray(outputs["scores"], np.float32)
