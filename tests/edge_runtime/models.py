"""Real small models in the graph contract, pictures for them, and releases of them."""

import io
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from msgspec import UNSET, UnsetType
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_runtime.contract import (
    Decisions,
    FileRef,
    Golden,
    GoldenCase,
    InputSpec,
    Lineage,
    OperatingPoint,
    OutputSpec,
    Release,
    Signal,
    Tolerance,
    Variant,
    decide,
    digest,
    encode,
)
from edge_runtime.engines import load

UInt8 = npt.NDArray[np.uint8]
ZERO = "0" * 64
WIDTH, HEIGHT, SQUARE = 64, 48, 8
THRESHOLD = 0.8


def squares_onnx(width: int = WIDTH, height: int = HEIGHT, gain: float = 1.0) -> bytes:
    """A detector in the graph contract: its score is the brightness of an 8 × 8 window × gain."""
    node, k = helper.make_node, 8
    constants: dict[str, npt.NDArray[np.generic]] = {
        "to_one": np.array(gain / 255, np.float32),
        "flat": np.array([0, -1], np.int64),
        "k": np.array([k], np.int64),
        "width": np.array(width, np.int64),
        "zero": np.array(0, np.float32),
        "half": np.array([-4, -4, 4, 4], np.float32),
        "last": np.array([2], np.int64),
    }
    window: dict[str, Any] = {
        "kernel_shape": [SQUARE, SQUARE],
        "pads": [4, 4, 3, 3],
        "count_include_pad": 1,
    }
    nodes = [
        node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        node("ReduceMean", ["float"], ["grey"], axes=[3], keepdims=0),
        node("Mul", ["grey", "to_one"], ["bright"]),
        node("Unsqueeze", ["bright", "one"], ["map"]),
        node("AveragePool", ["map"], ["mean"], **window),
        node("MaxPool", ["mean"], ["highest"], kernel_shape=[9, 9], pads=[4, 4, 4, 4]),
        node("Equal", ["mean", "highest"], ["is_peak"]),
        node("Where", ["is_peak", "mean", "zero"], ["peaks"]),
        node("Reshape", ["peaks", "flat"], ["line"]),
        node("TopK", ["line", "k"], ["scores", "index"]),
        node("Mod", ["index", "width"], ["column"]),
        node("Div", ["index", "width"], ["row"]),
        node("Cast", ["column"], ["x"], to=TensorProto.FLOAT),
        node("Cast", ["row"], ["y"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["x", "last"], ["x1"]),
        node("Unsqueeze", ["y", "last"], ["y1"]),
        node("Concat", ["x1", "y1", "x1", "y1"], ["centres"], axis=2),
        node("Add", ["centres", "half"], ["boxes"]),
        node("Sub", ["index", "index"], ["labels"]),
    ]
    constants["one"] = np.array([1], np.int64)
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", height, width, 3])]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", k, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", k]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", k]),
    ]
    initializers = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph(nodes, "squares", inputs, outputs, initializers)
    opset = [helper.make_opsetid("", 13)]
    data: bytes = onnx.helper.make_model(
        graph, opset_imports=opset, ir_version=8
    ).SerializeToString()
    return data


def brightness_onnx() -> bytes:
    """A classifier in the graph contract: class by the mean brightness, dark 0 to bright 9."""
    node = helper.make_node
    constants: dict[str, npt.NDArray[np.generic]] = {
        "scale": np.array(10 / 256, np.float32),
        "centres": (np.arange(10) + 0.5).astype(np.float32),
        "column": np.array([1], np.int64),
    }
    nodes = [
        node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        node("Mul", ["mean", "scale"], ["level"]),
        node("Unsqueeze", ["level", "column"], ["levels"]),
        node("Sub", ["levels", "centres"], ["away"]),
        node("Mul", ["away", "away"], ["square"]),
        node("Mul", ["square", "sharp"], ["logits"]),
        node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants["sharp"] = np.array(-4, np.float32)
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])]
    initializers = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph(nodes, "brightness", inputs, outputs, initializers)
    opset = [helper.make_opsetid("", 13)]
    data: bytes = onnx.helper.make_model(
        graph, opset_imports=opset, ir_version=8
    ).SerializeToString()
    return data


def colour_onnx() -> bytes:
    """Embeddings in the graph contract: the mean colour, at unit length."""
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        node("LpNormalization", ["mean"], ["embedding"], axis=1, p=2),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])]
    graph = helper.make_graph(nodes, "colours", inputs, outputs)
    opset = [helper.make_opsetid("", 13)]
    data: bytes = onnx.helper.make_model(
        graph, opset_imports=opset, ir_version=8
    ).SerializeToString()
    return data


def scene(*corners: tuple[int, int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> UInt8:
    """A dark picture with a white square at each corner (x, y)."""
    picture = np.full((size[1], size[0], 3), 20, np.uint8)
    for x, y in corners:
        picture[max(0, y) : y + SQUARE, max(0, x) : x + SQUARE] = 255
    return picture


def png(picture: UInt8) -> bytes:
    """The picture as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


@dataclass
class Built:
    """A release with the content of every file that it refers to."""

    release: Release
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """release.json."""
        return encode(self.release)


def build(
    sequence: int,
    models: dict[str, bytes] | None = None,
    expected: dict[str, Decisions] | None = None,
    name: str = "squares",
) -> Built:
    """A release of detectors (variant name → ONNX); `expected` overrides the golden decisions."""
    models = models or {"onnx-fp32": squares_onnx()}
    blobs: dict[str, bytes] = {}

    def keep(data: bytes) -> FileRef:
        blobs[digest(data)] = data
        return FileRef(digest(data), len(data))

    variants = tuple(
        Variant(
            name=variant,
            engine="openvino" if variant.startswith("openvino") else "onnxruntime",
            precision="int8" if variant.endswith("int8") else "f32",
            hardware=("cpu",),
            main="model.onnx",
            files={"model.onnx": keep(data)},
        )
        for variant, data in models.items()
    )
    cases = []
    for picture in (scene((8, 8)), scene((20, 30), (44, 4)), scene()):
        decisions = {}
        for variant in variants:
            session = load(variant, {"model.onnx": models[variant.name]}, 1)
            outputs = session.run(picture[None])
            decisions[variant.name] = decide("detection", outputs, 0, THRESHOLD - 0.05)
        cases.append(GoldenCase(keep(png(picture)), {**decisions, **(expected or {})}))
    release = Release(
        schema="release/1",
        name=name,
        version=f"{sequence}.0.0",
        sequence=sequence,
        task="detection",
        labels=("square",),
        input=InputSpec(WIDTH, HEIGHT),
        output=OutputSpec(("boxes", "scores", "labels")),
        operating_point=OperatingPoint(THRESHOLD, "by hand"),
        variants=variants,
        golden=Golden(tuple(cases), Tolerance()),
        evidence=keep(b"{}"),
        lineage=Lineage(ZERO, ZERO, 0),
        card=keep(b"# squares"),
    )
    return Built(release, blobs)


def build_digits(sequence: int, signal: Signal | UnsetType = UNSET) -> Built:
    """A release of the classifier that reads brightness as a digit, of pictures or of a signal."""
    release = msgspec.structs.replace(
        build(sequence, name="digits").release,
        task="classification",
        labels=tuple("0123456789"),
        input=InputSpec(8, 8, signal=signal),
        output=OutputSpec(("probabilities",)),
    )
    return _with_model(release, brightness_onnx(), (13, 140, 250))


def build_colours(sequence: int) -> Built:
    """A release whose embedding of a picture is its mean colour, at unit length."""
    release = msgspec.structs.replace(
        build(sequence, name="colours").release,
        task="embedding",
        labels=(),
        input=InputSpec(8, 8),
        output=OutputSpec(("embedding",)),
    )
    return _with_model(release, colour_onnx(), (40, 250))


def _with_model(release: Release, model: bytes, levels: tuple[int, ...]) -> Built:
    """The release of `model` instead, proven on grey pictures of these levels."""
    blobs = {digest(model): model, digest(b"{}"): b"{}", digest(b"# squares"): b"# squares"}
    ref = FileRef(digest(model), len(model))
    variant = Variant("onnx-fp32", "onnxruntime", "f32", ("cpu",), "m.onnx", {"m.onnx": ref})
    session = load(variant, {"m.onnx": model}, 1)
    cases = []
    for level in levels:
        picture = np.full((8, 8, 3), level, np.uint8)
        decisions = decide(release.task, session.run(picture[None]), 0, 0.0)
        data = png(picture)
        blobs[digest(data)] = data
        cases.append(GoldenCase(FileRef(digest(data), len(data)), {"onnx-fp32": decisions}))
    golden = Golden(tuple(cases), Tolerance())
    return Built(msgspec.structs.replace(release, variants=(variant,), golden=golden), blobs)
