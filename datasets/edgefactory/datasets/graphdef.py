"""Reading a frozen TensorFlow graph without TensorFlow.

A `.pb` file is a `GraphDef` protocol buffer. Only the few fields that a converter needs are read
(names, operations, inputs, attributes, float and int32 tensors), straight from the wire format
(https://protobuf.dev/programming-guides/encoding), with every length checked against what is
there. Nothing is executed and nothing outside the given bytes is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError

MAX_GRAPH_BYTES = 256 * 2**20
MAX_NODES = 100_000
_DTYPES: Mapping[int, str] = {1: "<f4", 3: "<i4"}  # DT_FLOAT, DT_INT32


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph; `attributes` holds undecoded `AttrValue` messages."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, bytes]

    def text(self, key: str) -> str:
        """The string attribute `key` (`AttrValue.s`)."""
        return _text(self._only(key, 2))

    def number(self, key: str) -> float:
        """The float attribute `key` (`AttrValue.f`)."""
        value = self._only(key, 4)
        if not isinstance(value, bytes) or len(value) != 4:
            raise InputError(f"graph: attribute {key} of {self.name} is not a float")
        return float(np.frombuffer(value, "<f4")[0])

    def integers(self, key: str) -> tuple[int, ...]:
        """The list-of-integers attribute `key` (`AttrValue.list.i`)."""
        found = self._only(key, 1)
        if not isinstance(found, bytes):
            raise InputError(f"graph: attribute {key} of {self.name} is not a list")
        return _packed(value for number, value in fields(found) if number == 3)

    def tensor(self) -> NDArray[np.float32] | NDArray[np.int32]:
        """The value of a `Const` node; float32 and int32 tensors only."""
        value = self._only("value", 8)
        if self.operation != "Const" or not isinstance(value, bytes):
            raise InputError(f"graph: {self.name} is {self.operation}, expected a constant")
        return _tensor(value, self.name)

    def _only(self, key: str, wanted: int) -> int | bytes:
        if key in self.attributes:
            for number, value in fields(self.attributes[key]):
                if number == wanted:
                    return value
        raise InputError(f"graph: {self.operation} {self.name} lacks the attribute {key}")


def read_graph(data: bytes) -> dict[str, Node]:
    """Parse the bytes of a `GraphDef` into its nodes by name, in file order.

    Raises `InputError` when the bytes are not a graph, are truncated, or exceed the bounds.
    """
    if len(data) > MAX_GRAPH_BYTES:
        raise InputError(f"graph: {len(data)} bytes, at most {MAX_GRAPH_BYTES} are read")
    nodes: dict[str, Node] = {}
    for number, value in fields(data):
        if number != 1:
            continue
        if not isinstance(value, bytes) or len(nodes) >= MAX_NODES:
            raise InputError("graph: malformed, or more nodes than a detector has")
        node = _node(value)
        nodes[node.name] = node
    if not nodes:
        raise InputError("graph: no nodes found; expected a frozen TensorFlow GraphDef")
    return nodes


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of one message as `(number, value)`.

    Variable-length integers come as `int` (unsigned), everything else as `bytes`.
    """
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == 2:
            size, position = _varint(data, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise InputError(f"graph: wire type {wire} at byte {position}; not a GraphDef")
        if size > len(data) - position:
            raise InputError(f"graph: truncated at byte {position}: {size} bytes were announced")
        yield number, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise InputError(f"graph: truncated at byte {position}, inside a number")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
    raise InputError(f"graph: a number longer than 10 bytes ends at byte {position}")


def _node(data: bytes) -> Node:
    name = operation = ""
    inputs: list[str] = []
    attributes: dict[str, bytes] = {}
    for number, value in fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            operation = _text(value)
        elif number == 3:
            inputs.append(_text(value))
        elif number == 5 and isinstance(value, bytes):
            entry = dict(fields(value))
            content = entry.get(2, b"")
            if isinstance(content, bytes):
                attributes[_text(entry.get(1, b""))] = content
    return Node(name, operation, tuple(inputs), attributes)


def _text(value: int | bytes) -> str:
    if not isinstance(value, bytes):
        raise InputError("graph: a number where a string was expected")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"graph: a name is not UTF-8 ({error.reason})") from error


def _packed(values: Iterator[int | bytes]) -> tuple[int, ...]:
    """Repeated integers, each alone or several packed into one run of bytes."""
    result: list[int] = []
    for value in values:
        if isinstance(value, int):
            result.append(value)
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            result.append(number)
    return tuple(n - 2**64 if n >= 2**63 else n for n in result)


def _tensor(data: bytes, name: str) -> NDArray[np.float32] | NDArray[np.int32]:
    """Decode a `TensorProto`: content bytes, or repeated values (the last one repeats)."""
    parts = list(fields(data))
    dtype = _DTYPES.get(next((v for n, v in parts if n == 1 and isinstance(v, int)), 0))
    if dtype is None:
        raise InputError(f"graph: constant {name} is neither float32 nor int32")
    shape = _shape(next((v for n, v in parts if n == 2 and isinstance(v, bytes)), b""))
    count = prod(shape)
    content = next((v for n, v in parts if n == 4 and isinstance(v, bytes)), b"")
    if not content and dtype == "<f4":
        content = b"".join(v for n, v in parts if n == 5 and isinstance(v, bytes))
    if not content and dtype == "<i4":
        content = np.array(_packed(v for n, v in parts if n == 7), dtype).tobytes()
    if min(shape, default=0) < 0 or count * 4 > MAX_GRAPH_BYTES or len(content) % 4:
        raise InputError(f"graph: constant {name} has a malformed shape {shape}")
    values = np.frombuffer(content, dtype)
    if values.size not in (1, count) or (values.size == 0 and count):
        raise InputError(f"graph: constant {name} holds {values.size} values for shape {shape}")
    return np.broadcast_to(values, (count,)).reshape(shape) if count else values.reshape(shape)


def _shape(data: bytes) -> tuple[int, ...]:
    dimensions = (value for number, value in fields(data) if number == 2)
    sizes = (dict(fields(value)).get(1, 0) for value in dimensions if isinstance(value, bytes))
    return tuple(size for size in sizes if isinstance(size, int))
