"""OpenVINO by its C library is the OpenVINO that its Python package is."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from edge_runtime.contract import Variant
from edge_runtime.engines import load, openvino_c
from edge_runtime.errors import RefusedError
from edge_runtime.openvino_core import quiet_openvino

pytestmark = pytest.mark.component

KINDS = ("BOOL", "FLOAT16", "FLOAT", "DOUBLE", "INT8", "INT16", "INT32", "INT64", "UINT8")


def _casting(kind: str, shape: list[int | str] | None) -> bytes:
    """A graph that gives its input as `kind`."""
    to = getattr(TensorProto, kind)
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["found"], to=to)],
        "casting",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("found", to, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def _variant() -> Variant:
    return Variant("m", "openvino", "f32", ("cpu",), "m.onnx", {})


def test_both_are_of_one_version() -> None:
    assert openvino_c.version() == quiet_openvino().__version__


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_each_type_are_what_numpy_makes_of_them(kind: str) -> None:
    session = load(_variant(), {"m.onnx": _casting(kind, ["N", 2, 3, 3])}, 1)
    picture = np.arange(36, dtype=np.uint8).reshape(2, 2, 3, 3)
    found = session.run(picture)["found"]
    expected = picture.astype(helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind)))
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_a_view_is_read_as_numpy_reads_it() -> None:
    session = load(_variant(), {"m.onnx": _casting("INT32", ["N", 2, 3, 3])}, 1)
    turned = np.arange(36, dtype=np.uint8).reshape(2, 3, 2, 3).transpose(0, 2, 1, 3)
    assert np.array_equal(session.run(turned)["found"], turned.astype(np.int32))


@pytest.mark.parametrize("content", [b"", b"no model", _casting("FLOAT", None)])
def test_what_is_no_model_of_pictures_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedError, match="OpenVINO cannot load"):
        load(_variant(), {"m.onnx": content}, 1)
