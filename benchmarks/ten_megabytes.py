"""A classifier of 10 MB in the graph contract with random weights, and an active release of it."""

import io
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_runtime import contract, engines
from edge_runtime.running import Active
from edge_runtime.state import Site, State
from edge_runtime.store import Slot

SIDE: Final = 128  # of the picture, pixels
CLASSES: Final = 1000
_LAYERS: Final = ((3, 64, 7, 4), (64, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 2))
_POINTS: Final = (512, 512)  # 1 × 1 convolutions


def classifier(seed: int) -> bytes:
    """The ONNX file: 0.1 G multiplications a picture, 2.6 million weights."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    weights: dict[str, npt.NDArray[np.generic]] = {"scale": np.array(1 / 255, np.float32)}
    nodes: list[Any] = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["x0"], perm=[0, 3, 1, 2]),
    ]
    layers = [*_LAYERS, *((width, width, 1, 1) for width in _POINTS)]
    for number, (given, made, kernel, stride) in enumerate(layers):
        shape = (made, given, kernel, kernel)
        weights[f"w{number}"] = random.normal(0, (2 / (given * kernel**2)) ** 0.5, shape).astype(
            "f"
        )
        window: dict[str, Any] = {"strides": [stride] * 2, "pads": [kernel // 2] * 4}
        names = [f"x{number}", f"w{number}"]
        nodes.append(helper.make_node("Conv", names, [f"c{number}"], **window))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"x{number + 1}"]))
    last = layers[-1][1]
    weights["head"] = random.normal(0, 1 / last**0.5, (last, CLASSES)).astype("f")
    nodes += [
        helper.make_node("GlobalAveragePool", [f"x{len(layers)}"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    taken = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])
    kind = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES])
    kept = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "ten_megabytes", [taken], [kind], kept)
    opset = [helper.make_opsetid("", 13)]
    data: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return data


def picture(seed: int) -> npt.NDArray[np.uint8]:
    """A picture of noise, uint8 [SIDE,SIDE,3]."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def activate(state: State, engine: contract.Engine, sequence: int) -> Active:
    """A release of the classifier of seed `sequence`, as if an enrolled site had fetched and proven
    it."""
    state.contents.prepare()
    site = Site("site/1", "bench", "", "http://bench", "0" * 64, "0" * 64)
    state.site_file.write_bytes(contract.encode(site))
    model = classifier(sequence)
    files = {"model.onnx": state.contents.put(model)}
    variant = contract.Variant("ten-megabytes", engine, "f32", ("cpu",), "model.onnx", files)
    session = engines.load(
        contract.Variant("golden", "onnxruntime", "f32", ("cpu",), "model.onnx", files),
        {"model.onnx": model},
        1,
    )
    png = io.BytesIO()
    Image.fromarray(picture(0)).save(png, "PNG")
    expected = contract.decide("classification", session.run(picture(0)[None]), 0, 0.0)
    case = contract.GoldenCase(state.contents.put(png.getvalue()), {variant.name: expected})
    release = contract.Release(
        schema="release/1",
        name="ten-megabytes",
        version=f"{sequence}.0.0",
        sequence=sequence,
        task="classification",
        labels=tuple(f"class-{number}" for number in range(CLASSES)),
        input=contract.InputSpec(SIDE, SIDE),
        output=contract.OutputSpec(("probabilities",)),
        operating_point=contract.OperatingPoint(0.0, "none: random weights"),
        variants=(variant,),
        golden=contract.Golden((case,), contract.Tolerance()),
        evidence=state.contents.put(b"{}"),
        lineage=contract.Lineage("0" * 64, "0" * 64, sequence),
        card=state.contents.put(b"# ten megabytes of noise"),
    )
    ref = state.contents.put(contract.encode(release))
    slot = Slot(ref, release.version, sequence, variant.name, engine, 0.0)
    return Active("bench", slot, release, variant)
