"""The few calls of OpenVINO's C API (2.0) that running a model on the CPU needs, by ctypes.

The wheel of OpenVINO brings that library. Its Python package does the same, but takes 80 ms, 40 MB
and NumPy (60 ms) in each worker. The one core stays as long as the process: see `openvino_core`.
Every failure is a RuntimeError with OpenVINO's words.
"""

import ctypes
import functools
import importlib.util
import math
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Final

from edge_runtime.engines.tensors import InputTensor, OutputTensor

_DEVICE: Final = b"CPU"
_UINT8: Final = 16
_KINDS: Final = {  # ov_element_type_e, as numpy names it, with its bytes
    1: ("bool", 1),
    3: ("float16", 2),
    4: ("float32", 4),
    5: ("float64", 8),
    7: ("int8", 1),
    8: ("int16", 2),
    9: ("int32", 4),
    10: ("int64", 8),
    _UINT8: ("uint8", 1),
    17: ("uint16", 2),
    18: ("uint32", 4),
    19: ("uint64", 8),
}

_properties = threading.Lock()  # they are the device's until the next model is compiled


class _Shape(Structure):
    _fields_ = (("rank", c_int64), ("dims", POINTER(c_int64)))


class _Dimension(Structure):
    _fields_ = (("min", c_int64), ("max", c_int64))


class _PartialShape(Structure):
    _fields_ = (("rank", _Dimension), ("dims", POINTER(_Dimension)))


class _Version(Structure):
    _fields_ = (("build", c_char_p), ("description", c_char_p))


class Handle:
    """Something of OpenVINO's, freed when nobody holds it any more."""

    def __init__(self, kind: str, call: str, *arguments: object) -> None:
        """What `call` makes of `arguments`."""
        pointer = c_void_p()
        _ask(call, *arguments, byref(pointer))
        self._as_parameter_ = pointer  # how ctypes takes it
        weakref.finalize(self, getattr(_library(), f"{kind}_free"), pointer).atexit = False


class Model:
    """A graph: an ONNX file, or the .xml file of an IR with its `weights`."""

    def __init__(self, content: bytes, weights: bytes) -> None:
        tensor = _copied(weights) if weights else None
        call = "ov_core_read_model_from_memory_buffer"
        self._model = Handle("ov_model", call, _core(), content, c_size_t(len(content)), tensor)

    def input(self) -> InputTensor:
        """The first input."""
        port = self._port("input", 0)
        kind, shape = c_int(), _PartialShape()
        _ask("ov_port_get_element_type", port, byref(kind))
        _ask("ov_port_get_partial_shape", port, byref(shape))
        known = shape.rank.min == shape.rank.max
        axes = [shape.dims[axis] for axis in range(shape.rank.max)] if known else []
        found = tuple(axis.min if axis.min == axis.max else None for axis in axes)
        _library().ov_partial_shape_free(byref(shape))
        if not found:
            raise RuntimeError("its input has no axes, or any number of them")
        return InputTensor(_kind(kind.value)[0], found)

    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""
        count = c_size_t()
        _ask("ov_model_outputs_size", self._model, byref(count))
        return tuple(_name(self._port("output", number)) for number in range(count.value))

    def reshape(self, shape: Sequence[int]) -> None:
        """Let the one input be of `shape`."""
        axes = (_Dimension * len(shape))(*(_Dimension(axis, axis) for axis in shape))
        rank = _Dimension(len(shape), len(shape))
        _ask("ov_model_reshape_single_input", self._model, _PartialShape(rank, axes))

    def compile(self, properties: Mapping[str, str]) -> Handle:
        """The graph ready to run."""
        with _properties:
            _set(properties)
            none = c_size_t(0)
            made = ("ov_core_compile_model", _core(), self._model, _DEVICE, none)
            return Handle("ov_compiled_model", *made)

    def _port(self, side: str, number: int) -> Handle:
        call = f"ov_model_const_{side}_by_index"
        return Handle("ov_output_const_port", call, self._model, c_size_t(number))


class Request:
    """A compiled model with the memory of one run; for one thread at a time."""

    def __init__(self, compiled: Handle) -> None:
        call = "ov_compiled_model_create_infer_request"
        self._request = Handle("ov_infer_request", call, compiled)

    def run(self, address: int, shape: Sequence[int], names: Sequence[str]) -> list[OutputTensor]:
        """The outputs, as many as `names`, for the uint8 values of `shape` at `address`."""
        given = (c_int(_UINT8), _shape(shape), c_void_p(address))
        tensor = Handle("ov_tensor", "ov_tensor_create_from_host_ptr", *given)
        _ask("ov_infer_request_set_input_tensor_by_index", self._request, c_size_t(0), tensor)
        _ask("ov_infer_request_infer", self._request)
        return [self._output(number) for number in range(len(names))]

    def _output(self, number: int) -> OutputTensor:
        call = "ov_infer_request_get_output_tensor_by_index"
        tensor = Handle("ov_tensor", call, self._request, c_size_t(number))
        code, shape, data = c_int(), _Shape(), c_void_p()
        _ask("ov_tensor_get_element_type", tensor, byref(code))
        _ask("ov_tensor_get_shape", tensor, byref(shape))
        found = tuple(shape.dims[axis] for axis in range(shape.rank))
        _library().ov_shape_free(byref(shape))
        kind, size = _kind(code.value)
        count = math.prod(found) * size
        if not count:
            return OutputTensor(kind, found, memoryview(b""))
        _ask("ov_tensor_data", tensor, byref(data))
        view = memoryview((ctypes.c_ubyte * count).from_address(data.value or 0)).cast("B")
        return OutputTensor(kind, found, view)


def imported(content: bytes, start: int, properties: Mapping[str, str]) -> Handle:
    """A compiled model that `exported` gave: `content` from byte `start` on."""
    address = c_void_p((ctypes.cast(c_char_p(content), c_void_p).value or 0) + start)
    with _properties:
        _set(properties)
        made = ("ov_core_import_model", _core(), address, c_size_t(len(content) - start), _DEVICE)
        return Handle("ov_compiled_model", *made)


def exported(compiled: Handle) -> bytes:
    """A compiled model as bytes, for this version of OpenVINO on this kind of CPU."""
    with os.fdopen(os.memfd_create("openvino"), "rb") as file:
        path = f"/proc/self/fd/{file.fileno()}".encode()
        _ask("ov_compiled_model_export_model", compiled, path)
        return file.read()


@functools.cache
def version() -> str:
    """The version and build of the library."""
    found = _Version()
    _ask("ov_get_openvino_version", byref(found))
    text: bytes = found.build
    _library().ov_version_free(byref(found))
    return text.decode()


def prepare() -> None:
    """Load all that a model will need: the library and what it has for the CPU."""
    text = c_char_p()
    _ask("ov_core_get_property", _core(), _DEVICE, b"FULL_DEVICE_NAME", byref(text))
    _library().ov_free(text)


@functools.cache
def _library() -> ctypes.CDLL:
    """Raises RuntimeError where the library is not."""
    found = importlib.util.find_spec("openvino")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        for path in sorted((Path(folder) / "libs").glob("libopenvino_c.so*")):
            library = ctypes.CDLL(str(path))
            library.ov_get_last_err_msg.restype = c_char_p
            return library
    raise RuntimeError("OpenVINO's library libopenvino_c.so is not in its package")


@functools.cache
def _core() -> c_void_p:
    pointer = c_void_p()
    _ask("ov_core_create", byref(pointer))
    return pointer


def _ask(call: str, *arguments: object) -> None:
    library = _library()
    if getattr(library, call)(*arguments) != 0:
        text: bytes = library.ov_get_last_err_msg() or call.encode()
        raise RuntimeError(text.decode("utf-8", "replace"))


def _set(properties: Mapping[str, str]) -> None:
    for key, value in properties.items():
        _ask("ov_core_set_property", _core(), _DEVICE, key.encode(), value.encode())


def _shape(axes: Sequence[int]) -> _Shape:
    return _Shape(len(axes), (c_int64 * len(axes))(*axes))


def _copied(data: bytes) -> Handle:
    """A tensor that owns a copy of `data`: the constants of a graph point into it."""
    tensor = Handle("ov_tensor", "ov_tensor_create", c_int(_UINT8), _shape([len(data)]))
    place = c_void_p()
    _ask("ov_tensor_data", tensor, byref(place))
    ctypes.memmove(place, data, len(data))
    return tensor


def _name(port: Handle) -> str:
    text = c_char_p()
    _ask("ov_port_get_any_name", port, byref(text))
    name = (text.value or b"").decode()
    _library().ov_free(text)
    return name


def _kind(code: int) -> tuple[str, int]:
    if code not in _KINDS:
        raise RuntimeError(f"a tensor of a type that arrays do not have (ov_element_type_e {code})")
    return _KINDS[code]
