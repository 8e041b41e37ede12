"""What a model's file says about itself, read without the package onnx.

ONNX is a protocol buffer (onnx.proto; the encoding is "Encoding" in the Protocol Buffers
documentation). Only tags and lengths are walked, so that weights of any size cost nothing.
"""

from collections.abc import Iterator, Mapping

from edge_runtime.contract import Engine, Precision
from edge_runtime.errors import InputError, RefusedError

# The messages on the way to tensors and operators: field number → kind of the message in it.
_PARTS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_OP_TYPE = 4  # of a node
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor

_QUANTIZED_OPS = ("QuantizeLinear", "DynamicQuantize", "QLinear", "QGemm", "QAttention")


def is_quantized(main: str, content: bytes) -> bool:
    """True when the graph in `content` computes with 8-bit activations.

    `main` is its file's name, which tells OpenVINO's IR (.xml) from ONNX. Raises RefusedError for
    what is no ONNX model, and for one that keeps weights in other files.
    """
    if main.endswith(".xml"):
        return b'type="FakeQuantize"' in content
    try:
        found = [_quantized(kind, field, value) for kind, field, value in _walk(content, main)]
    except (IndexError, ValueError) as error:
        raise RefusedError(f"{main} is not an ONNX model") from error
    if not found:
        raise RefusedError(f"{main} is not an ONNX model: it has no graph")
    return any(found)


def precision_of(
    asked: Precision | None, engine: Engine, main: str, *, quantized: bool
) -> Precision:
    """The precision to measure at: the one that was `asked` for, else int8 or f32 as the graph is.

    Raises InputError when the engine or the graph does not have it.
    """
    if engine in ("tensorrt", "tensorrt-rtx"):
        raise InputError(f"bench measures onnxruntime and openvino; {engine} needs a built engine")
    precision: Precision = asked or ("int8" if quantized else "f32")
    if quantized and precision != "int8":
        raise InputError(f"{main} is quantized; its precision is int8, not {precision}")
    if precision == "int8" and not quantized:
        raise InputError(f"{main} is not quantized, so it does not run in int8; quantize it first")
    if engine == "onnxruntime" and precision in ("bf16", "f16"):
        raise InputError(f"onnxruntime computes {main} as it is written, in f32, not {precision}")
    return precision


def _quantized(kind: str, field: int, value: memoryview | int) -> bool:
    if kind != "node" or field != _OP_TYPE or isinstance(value, int):
        return False
    name = bytes(value[:64])
    return b"Integer" in name or name.decode("utf-8", "replace").startswith(_QUANTIZED_OPS)


def _walk(content: bytes, main: str) -> Iterator[tuple[str, int, memoryview | int]]:
    """(kind of message, field number, value) of every field on the way to tensors and operators.

    Raises RefusedError at a tensor whose data lies elsewhere, ValueError or IndexError for what is
    no protocol buffer.
    """
    left = [("model", memoryview(content))]
    while left:
        kind, message = left.pop()
        for field, value in _fields(message):
            part = _PARTS[kind].get(field)
            if kind == "tensor":
                if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value == 1):
                    raise RefusedError(
                        f"{main} keeps weights in other files; save it as one file, without "
                        "external data"
                    )
            elif part is None:
                if kind != "model":
                    yield kind, field, value
            elif isinstance(value, int):
                raise ValueError(f"field {field} of a {kind} is no message")
            else:
                left.append((part, value))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        form = tag & 7
        if form == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if form == 2:
            size, place = _varint(message, place)
        elif form in (1, 5):
            size = 8 if form == 1 else 4
        else:
            raise ValueError(f"wire type {form}")
        if size > len(message) - place:
            raise ValueError("a field is longer than its message")
        yield tag >> 3, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number of more than ten bytes")
