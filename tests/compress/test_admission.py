"""Bad input costs one clear line, the same for each target."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import convert_model_to_external_data

from edgefactory.compress.admission import admit, admit_pictures, unsupported
from edgefactory.compress.openvino_ir import to_int8_ir, to_ir
from edgefactory.compress.portable import quantize_portable
from edgefactory.compress.tensorrt import recipe
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]
TARGETS: dict[str, Callable[[bytes, list[UInt8]], object]] = {
    "onnx": quantize_portable,
    "openvino": lambda model, _: to_ir(model),
    "openvino-int8": to_int8_ir,
    "tensorrt": lambda model, _: recipe(model, "tensorrt"),
    "tensorrt-rtx": lambda model, _: recipe(model, "tensorrt-rtx"),
}
CALIBRATED = ("onnx", "openvino-int8")


def _ending(model: bytes, operation: str, domain: str = "") -> bytes:
    """The same model with one more operation, "odd.one", at its end."""
    changed = onnx.load_from_string(model)
    scores = next(node for node in changed.graph.node if "scores" in node.output)
    scores.output[0] = "before"
    odd = helper.make_node(operation, ["before"], ["scores"], name="odd.one", domain=domain)
    changed.graph.node.append(odd)
    if domain:
        changed.opset_import.append(helper.make_opsetid(domain, 1))
    content: bytes = changed.SerializeToString()
    return content


def _free(model: bytes) -> bytes:
    changed = onnx.load_from_string(model)
    for axis in changed.graph.input[0].type.tensor_type.shape.dim[1:3]:
        axis.dim_param = "any"
    content: bytes = changed.SerializeToString()
    return content


def _float_input(model: bytes) -> bytes:
    changed = onnx.load_from_string(model)
    changed.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    content: bytes = changed.SerializeToString()
    return content


def _without_weights(model: bytes) -> bytes:
    changed = onnx.load_from_string(model)
    convert_model_to_external_data(changed, location="w.bin", size_threshold=0)
    for tensor in changed.graph.initializer:
        tensor.ClearField("raw_data")
    content: bytes = changed.SerializeToString()
    return content


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an operation of one's own": (
        lambda model: _ending(model, "Mine", "my.ops"),
        r"holds my\.ops\.Mine 'odd\.one', which is not an operation of ONNX: replace it",
    ),
    "a free height and width": (
        _free,
        r"takes \[\?, \?, \?, 3\]: only the first axis may be free; export it with a fixed height",
    ),
    "a float input": (_float_input, r"takes float \[\?, 32, 48, 3\]; expected uint8 \[N,H,W,3\]"),
    "a picture": (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a valid ONNX model"),
    "half a model": (lambda model: model[: len(model) // 2], "is not a valid ONNX model"),
    "weights in another file": (_without_weights, r"is not a valid ONNX model: .*stored in w\.bin"),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_model_is_refused_in_one_line(
    detector: bytes, pictures: list[UInt8], bad: str, target: str
) -> None:
    spoil, message = BAD[bad]
    with pytest.raises(InputError, match=message) as caught:
        TARGETS[target](spoil(detector), pictures)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", CALIBRATED)
def test_no_picture_to_calibrate_on_is_refused(detector: bytes, target: str) -> None:
    with pytest.raises(InputError, match="no picture to calibrate on: the snapshot's train split"):
        TARGETS[target](detector, [])


@pytest.mark.parametrize("target", CALIBRATED)
def test_pictures_of_another_size_are_refused(
    detector: bytes, pictures: list[UInt8], target: str
) -> None:
    wrong = [*pictures, np.zeros((48, 32, 3), np.uint8)]
    with pytest.raises(
        InputError, match=r"is uint8 \[48, 32, 3\]; the model takes uint8 \[32, 48, 3\]"
    ):
        TARGETS[target](detector, wrong)


@pytest.mark.parametrize("target", ["openvino", "openvino-int8"])
def test_an_operation_that_openvino_lacks_is_named_with_its_layer(
    detector: bytes, pictures: list[UInt8], target: str
) -> None:
    with pytest.raises(InputError, match=r"OpenVINO cannot take Det 'odd\.one': replace") as caught:
        TARGETS[target](_ending(detector, "Det"), pictures)
    assert "\n" not in str(caught.value)


def test_what_openvino_says_otherwise_is_not_taken_for_an_operation(detector: bytes) -> None:
    assert unsupported("no such device", detector) is None
    assert unsupported("No conversion rule found for operations: Gone-17", detector) == "Gone"


def test_a_good_model_is_admitted(detector: bytes, pictures: list[UInt8], tmp_path: Path) -> None:
    size = admit(detector, "it")
    assert size == (48, 32)
    admit_pictures(pictures, size)
