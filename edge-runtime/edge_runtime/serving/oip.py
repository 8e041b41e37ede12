"""The documents of the Open Inference Protocol (KServe v2): tensors in, tensors out. Pure.

With the binary extension the JSON has the length that `Inference-Header-Content-Length` says, and
the tensors follow it in the order of the document, little-endian. A tensor of BYTES is each
element's length as u32, then the element; as OpenVINO Model Server has it, a single picture may
follow as it is when no `binary_data_size` is given.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET, Meta, Struct, UnsetType

from edge_runtime.serving.http1 import Answer, AnswerError

UInt8 = npt.NDArray[np.uint8]
Array = npt.NDArray[np.generic]

INPUT = "image"
HEADER = "inference-header-content-length"
DATATYPES = {
    "bool": "BOOL",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    **{f"{kind}{bits}": f"{kind.upper()}{bits}" for kind in ("int", "uint") for bits in (8, 16)},
    **{f"{kind}{bits}": f"{kind.upper()}{bits}" for kind in ("int", "uint") for bits in (32, 64)},
}

Axis = Annotated[int, Meta(ge=0, le=2**31)]
Text = Annotated[str, Meta(max_length=256)]


class _Input(Struct, frozen=True, forbid_unknown_fields=True):
    name: Text
    shape: Annotated[tuple[Axis, ...], Meta(max_length=8)]
    datatype: Text
    parameters: dict[str, Any] = {}
    data: list[Any] | UnsetType = UNSET


class _Output(Struct, frozen=True, forbid_unknown_fields=True):
    name: Text
    parameters: dict[str, Any] = {}


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    inputs: Annotated[tuple[_Input, ...], Meta(max_length=16)]
    outputs: Annotated[tuple[_Output, ...], Meta(max_length=64)] = ()
    id: Text = ""
    parameters: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(_Document)


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for, and whether in binary."""

    name: str
    binary: bool


@dataclass(frozen=True)
class Infer:
    """A request: `given` is a batch for the graph (uint8 [N,h,w,3]) or N files of pictures.

    Without `wanted` all outputs go back, in binary where `binary` says so.
    """

    id: str
    given: UInt8 | tuple[bytes, ...]
    wanted: tuple[Wanted, ...]
    binary: bool


def parse_infer(body: bytes, header_length: str | None, shape: tuple[int, int, int]) -> Infer:
    """The request in `body` for a graph that takes [N, *shape]. Raises AnswerError 400."""
    document, binary = _split(body, header_length)
    try:
        asked = _decoder.decode(document)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise AnswerError(400, f"the request is not understood: {error}") from error
    if len(asked.inputs) != 1 or asked.inputs[0].name != INPUT:
        found = ", ".join(repr(given.name) for given in asked.inputs) or "none"
        raise AnswerError(400, f"expected one input {INPUT!r}, found {found}")
    everything = _flag(asked.parameters, "binary_data_output", False)
    names = [output.name for output in asked.outputs]
    if len(set(names)) != len(names):
        raise AnswerError(400, "an output is asked for twice")
    for output in asked.outputs:
        for key in ("classification", "shared_memory_region"):
            if key in output.parameters:
                raise AnswerError(400, f"the output parameter {key} is not supported")
    wanted = tuple(
        Wanted(output.name, _flag(output.parameters, "binary_data", everything))
        for output in asked.outputs
    )
    return Infer(asked.id, _given(asked.inputs[0], binary, shape), wanted, everything)


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not (header_length.isascii() and header_length.isdigit()) or len(header_length) > 15:
        raise AnswerError(400, f"{HEADER} is not a whole number")
    length = int(header_length)
    if length > len(body):
        raise AnswerError(400, f"{HEADER} is {length}, but the body has {len(body)} bytes")
    return body[:length], body[length:]


def _flag(parameters: Mapping[str, Any], name: str, usual: bool) -> bool:
    value = parameters.get(name, usual)
    if not isinstance(value, bool):
        raise AnswerError(400, f"the parameter {name} must be true or false")
    return value


def _given(tensor: _Input, binary: bytes, shape: tuple[int, int, int]) -> UInt8 | tuple[bytes, ...]:
    if "shared_memory_region" in tensor.parameters:
        raise AnswerError(400, "shared memory is not supported; send the data")
    size = tensor.parameters.get("binary_data_size")
    if tensor.datatype == "BYTES":
        return _pictures(tensor, binary, size)
    if tensor.datatype != "UINT8":
        raise AnswerError(400, f"{INPUT} is UINT8 or BYTES, not {tensor.datatype}")
    if len(tensor.shape) != 4 or tensor.shape[1:] != shape or tensor.shape[0] < 1:
        raise AnswerError(
            400, f"{INPUT} has shape {list(tensor.shape)}; expected [N, {str(list(shape))[1:]}"
        )
    if not isinstance(tensor.data, UnsetType):
        _require_end(binary)
        return _numbers(tensor.data, tensor.shape)
    expected = math.prod(tensor.shape)
    if size != expected or len(binary) != expected:
        raise AnswerError(
            400,
            f"{INPUT} needs {expected} bytes; binary_data_size is {size!r}, found {len(binary)}",
        )
    return np.frombuffer(binary, np.uint8).reshape(tensor.shape)


def _require_end(binary: bytes) -> None:
    if binary:
        raise AnswerError(400, f"{len(binary)} bytes follow that belong to no input")


def _numbers(data: list[Any], shape: tuple[int, ...]) -> UInt8:
    try:
        found = np.array(data)
    except (ValueError, OverflowError) as error:
        raise AnswerError(400, f"the data of {INPUT} is not an array of numbers") from error
    if found.dtype.kind not in "iu" or found.size != math.prod(shape):
        raise AnswerError(
            400, f"expected {math.prod(shape)} whole numbers as {INPUT}, found other data"
        )
    if found.ndim > 1 and found.shape != shape:
        raise AnswerError(400, f"the data is {list(found.shape)}; the shape says {list(shape)}")
    if found.min() < 0 or found.max() > 255:
        raise AnswerError(400, f"the data of {INPUT} must lie in 0..255")
    return found.astype(np.uint8).reshape(shape)


def _pictures(tensor: _Input, binary: bytes, size: object) -> tuple[bytes, ...]:
    if not isinstance(tensor.data, UnsetType):
        raise AnswerError(400, f"pictures are no JSON; send BYTES in binary, with {HEADER}")
    if len(tensor.shape) not in (1, 2) or math.prod(tensor.shape[1:]) != 1 or tensor.shape[0] < 1:
        raise AnswerError(400, f"BYTES have shape [N] or [N, 1], not {list(tensor.shape)}")
    count = tensor.shape[0]
    if size is None and count == 1:
        return (binary,)
    if size != len(binary):
        raise AnswerError(400, f"binary_data_size is {size!r}, found {len(binary)} bytes")
    elements: list[bytes] = []
    at = 0
    while at < len(binary):
        end = at + 4 + int.from_bytes(binary[at : at + 4], "little")
        if at + 4 > len(binary) or end > len(binary) or len(elements) == count:
            raise AnswerError(400, f"the BYTES are not {count} elements, each after its length")
        elements.append(binary[at + 4 : end])
        at = end
    if len(elements) != count:
        raise AnswerError(400, f"the shape says {count} elements, found {len(elements)}")
    return tuple(elements)


def choose(available: Mapping[str, Array], usual: Sequence[str], infer: Infer) -> list[Wanted]:
    """The outputs that go back: those asked for, else the `usual` ones. Raises AnswerError."""
    for wanted in infer.wanted:
        if wanted.name not in available:
            known = ", ".join(sorted(available))
            raise AnswerError(400, f"there is no output {wanted.name!r} (there are: {known})")
    return list(infer.wanted) or [Wanted(name, infer.binary) for name in usual]


def infer_answer(
    about: Mapping[str, Any], outputs: Mapping[str, Array], chosen: Sequence[Wanted]
) -> Answer:
    """The response: `about` are the document's other fields."""
    described: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for wanted in chosen:
        array = outputs[wanted.name]
        entry: dict[str, Any] = {
            "name": wanted.name,
            "datatype": DATATYPES[array.dtype.name],
            "shape": list(array.shape),
        }
        if wanted.binary:
            blobs.append(
                np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
            )
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = array.ravel().tolist()
        described.append(entry)
    document = msgspec.json.encode({**about, "outputs": described})
    if not blobs:
        return Answer(200, document)
    headers = {"Inference-Header-Content-Length": str(len(document))}
    return Answer(200, b"".join([document, *blobs]), "application/octet-stream", headers)
