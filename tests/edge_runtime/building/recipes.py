"""A small quantized model and its recipe, and whether TensorRT-RTX is here."""

import importlib.util

import msgspec
import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge_runtime.building import Device
from edge_runtime.contract import RECIPE_FILE, Shapes, TensorrtBuild, digest, encode

here = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
)
AMPERE = Device("sm86", elsewhere=True)


def quantized(*ending: NodeProto) -> bytes:
    """One INT8 convolution of a picture's bytes; `ending` goes on from `sums` to `scores`."""
    rng = np.random.default_rng(0)
    constants = {
        "middle": np.float32(128),
        "one": np.float32(1),
        "zero": np.int8(0),
        "weight": rng.integers(-64, 65, (16, 3, 3, 3)).astype(np.int8),
        "each": np.full(16, 0.001, np.float32),
        "none": np.zeros(16, np.int8),
        "square": rng.normal(size=(16, 16)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["nchw", "middle"], ["centred"]),
        helper.make_node("QuantizeLinear", ["centred", "one", "zero"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "one", "zero"], ["data"]),
        helper.make_node("DequantizeLinear", ["weight", "each", "none"], ["filter"], axis=0),
        helper.make_node("Conv", ["data", "filter"], ["sums"], name="layer", pads=[1] * 4),
        *(ending or (helper.make_node("Relu", ["sums"], ["scores"]),)),
    ]
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 16, 16, 16])],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return content


def recipe(source: bytes, **changes: object) -> TensorrtBuild:
    one = TensorrtBuild(
        schema="tensorrt-build/1",
        flavour="tensorrt-rtx",
        minimum_version="1.0.0",
        source_sha256=digest(source),
        convolutions=1,
        int8_share=0.95,
        shapes=Shapes((1, 16, 16, 3), (1, 16, 16, 3), (4, 16, 16, 3)),
    )
    return msgspec.structs.replace(one, **changes)


def files(source: bytes, **changes: object) -> dict[str, bytes]:
    return {"model.onnx": source, RECIPE_FILE: encode(recipe(source, **changes))}
