"""Small real models of the graph contract, and pictures that they know something about.

Each says of itself what it is. A picture of 64x48 has four quarters; the detector finds the light
ones (its score is their brightness), the classifier names the strongest colour.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from PIL import Image

from edge_runtime.contract import InputSpec, Task
from edgefactory.datasets import Item, Label, Split
from edgefactory.datasets.documents import Box
from edgefactory.training.specification import Specification

Constants = Mapping[str, NDArray[np.generic]]

WIDTH, HEIGHT = 64, 48
QUARTERS: tuple[Box, ...] = ((0, 0, 32, 24), (32, 0, 64, 24), (0, 24, 32, 48), (32, 24, 64, 48))
COLOURS = ("red", "green", "blue")


def quarters(classes: Sequence[str] = ("lamp",), says: bool = True) -> bytes:
    """The detector: four boxes, the first class, scores by brightness."""
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        node("Transpose", ["real"], ["nchw"], perm=[0, 3, 1, 2]),
        node("AveragePool", ["nchw"], ["mean"], kernel_shape=[24, 32], strides=[24, 32]),
        node("ReduceMean", ["mean"], ["grey"], axes=[1], keepdims=0),
        node("Flatten", ["grey"], ["flat"], axis=1),
        node("Div", ["flat", "white"], ["scores"]),
        node("Cast", ["scores"], ["whole"], to=TensorProto.INT64),
        node("Mul", ["whole", "nought"], ["labels"]),
        node("Unsqueeze", ["scores", "last"], ["each"]),
        node("Mul", ["each", "nothing"], ["moved"]),
        node("Add", ["moved", "corners"], ["boxes"]),
    ]
    constants: Constants = {
        "white": np.array(255, np.float32),
        "nought": np.array(0, np.int64),
        "nothing": np.array(0, np.float32),
        "last": np.array([2], np.int64),
        "corners": np.array([QUARTERS], np.float32),
    }
    outputs = {"boxes": (TensorProto.FLOAT, [4, 4]), "scores": (TensorProto.FLOAT, [4])}
    return _model(
        nodes,
        constants,
        {**outputs, "labels": (TensorProto.INT64, [4])},
        ("detection", tuple(classes)) if says else None,
    )


def colours(task: Task = "classification") -> bytes:
    """The classifier, or the mean colour as an embedding."""
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=0),
        node("Div", ["mean", "scale"], ["logits"]),
    ]
    if task == "classification":
        nodes.append(node("Softmax", ["logits"], ["probabilities"], axis=1))
    else:
        nodes.append(node("LpNormalization", ["logits"], ["embedding"], axis=1, p=2))
    name = "probabilities" if task == "classification" else "embedding"
    constants: Constants = {"scale": np.array(20, np.float32)}
    return _model(nodes, constants, {name: (TensorProto.FLOAT, [3])}, (task, COLOURS))


def _model(
    nodes: Sequence[NodeProto],
    constants: Constants,
    outputs: Mapping[str, tuple[int, list[int]]],
    says: tuple[Task, tuple[str, ...]] | None,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])],
        [
            helper.make_tensor_value_info(name, kind, ["N", *shape])
            for name, (kind, shape) in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if says is not None:
        specification = Specification(*says, InputSpec(WIDTH, HEIGHT))
        onnx.helper.set_model_props(model, specification.properties())
    content: bytes = model.SerializeToString()
    return content


def scene(*levels: int) -> NDArray[np.uint8]:
    """A picture whose quarters have these grey levels."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for (x0, y0, x1, y1), level in zip(QUARTERS, levels, strict=True):
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = level
    return pixels


def item(
    pixels: NDArray[np.uint8],
    split: Split,
    labels: tuple[Label, ...],
    source: str = "cam",
    captured_at: float = 0.0,
) -> tuple[Item, bytes]:
    """A picture of a snapshot and its file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    name = hashlib.sha256(buffer.getvalue()).hexdigest()
    file = f"images/{name}.png"
    size = pixels.shape[1], pixels.shape[0]
    return Item(name, file, *size, source, None, captured_at, split, labels), buffer.getvalue()
