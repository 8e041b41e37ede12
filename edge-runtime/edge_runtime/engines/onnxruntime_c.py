"""The few calls of ONNX Runtime's C API that running a model on the CPU needs, by ctypes.

Every wheel of ONNX Runtime brings that library beside the one that its Python package loads. The
package keeps Python's lock (the GIL) while it makes a session, and everything else stands still
meanwhile; these calls leave it. Every failure is a RuntimeError with ONNX Runtime's words.
"""

import ctypes
import functools
import importlib.util
import math
import os
import weakref
from collections.abc import Callable, Sequence
from ctypes import (
    CFUNCTYPE,
    POINTER,
    PYFUNCTYPE,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_void_p,
)
from pathlib import Path
from typing import Any, Final

from edge_runtime.engines.tensors import InputTensor, OutputTensor

_VERSION: Final = 14  # of OrtApi; later libraries have it too
_ERROR: Final = 3  # OrtLoggingLevel
_ARENA, _MEMORY = c_int(1), c_int(0)  # OrtArenaAllocator, OrtMemTypeDefault
_UINT8: Final = 2
_KINDS: Final = {  # ONNXTensorElementDataType, as numpy names it, with its bytes
    1: ("float32", 4),
    _UINT8: ("uint8", 1),
    3: ("int8", 1),
    4: ("uint16", 2),
    5: ("int16", 2),
    6: ("int32", 4),
    7: ("int64", 8),
    9: ("bool", 1),
    10: ("float16", 2),
    11: ("float64", 8),
    12: ("uint32", 4),
    13: ("uint64", 8),
}
_SIZES: Final = dict(_KINDS.values())

# Places in OrtApi, which only ever grows at its end.
_PLACES: Final = {
    "GetErrorMessage": 2,
    "CreateEnv": 3,
    "CreateSessionFromArray": 8,
    "Run": 9,
    "CreateSessionOptions": 10,
    "SetSessionLogSeverityLevel": 22,
    "SetIntraOpNumThreads": 24,
    "SetInterOpNumThreads": 25,
    "SessionGetInputCount": 30,
    "SessionGetOutputCount": 31,
    "SessionGetInputTypeInfo": 33,
    "SessionGetOutputTypeInfo": 34,
    "SessionGetInputName": 36,
    "SessionGetOutputName": 37,
    "CreateTensorWithDataAsOrtValue": 49,
    "GetTensorMutableData": 51,
    "CastTypeInfoToTensorInfo": 55,
    "GetTensorElementType": 60,
    "GetDimensionsCount": 61,
    "GetDimensions": 62,
    "GetTensorTypeAndShape": 65,
    "CreateCpuMemoryInfo": 69,
    "AllocatorFree": 76,
    "GetAllocatorWithDefaultOptions": 78,
    "ReleaseStatus": 93,
    "ReleaseSession": 95,
    "ReleaseValue": 96,
    "ReleaseTypeInfo": 98,
    "ReleaseTensorTypeAndShapeInfo": 99,
    "ReleaseSessionOptions": 100,
    "GetAvailableProviders": 125,
    "ReleaseAvailableProviders": 126,
    "AddSessionConfigEntry": 130,
}
# The others are over before another thread could use the lock, and would have to wait for it.
_LEAVES_THE_LOCK: Final = {"CreateEnv", "CreateSessionFromArray", "Run", "ReleaseSession"}


class _Base(Structure):
    _fields_ = (
        ("GetApi", CFUNCTYPE(c_void_p, c_uint32)),
        ("GetVersionString", CFUNCTYPE(c_char_p)),
    )


class Model:
    """A graph ready to run; several threads may run it at once.

    `inputs` says how many there are, `input` what the first one takes.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        options = c_void_p()
        _ask("CreateSessionOptions", byref(options))
        try:
            _ask("SetIntraOpNumThreads", options, c_int(threads))
            _ask("SetInterOpNumThreads", options, c_int(1))
            _ask("SetSessionLogSeverityLevel", options, c_int(_ERROR))
            _ask("AddSessionConfigEntry", options, b"session.intra_op.allow_spinning", b"0")
            self._session = c_void_p()
            size = c_size_t(len(content))
            _ask("CreateSessionFromArray", _env(), content, size, options, byref(self._session))
        finally:
            _call("ReleaseSessionOptions")(options)
        weakref.finalize(self, _call("ReleaseSession"), self._session).atexit = False
        self.inputs = self._count("Input")
        self.input = self._form("Input", 0)
        count = self._count("Output")
        self.outputs = tuple(self._name("Output", at) for at in range(count))
        self._kinds = tuple(self._form("Output", at).kind for at in range(count))
        self._asked = (c_char_p * 1)(self._name("Input", 0).encode())
        self._wanted = (c_char_p * len(self.outputs))(*(name.encode() for name in self.outputs))

    def run(self, address: int, shape: Sequence[int]) -> list[OutputTensor]:
        """The outputs, one for each of `outputs`, for the uint8 values of `shape` at `address`."""
        count = len(self.outputs)
        given, found = c_void_p(), (c_void_p * count)()
        axes, rank, size = (c_int64 * len(shape))(*shape), len(shape), math.prod(shape)
        held = (_memory(), c_void_p(address), c_size_t(size), axes, c_size_t(rank))
        _ask("CreateTensorWithDataAsOrtValue", *held, c_int(_UINT8), byref(given))
        named, wanted = (self._asked, byref(given), c_size_t(1)), (self._wanted, c_size_t(count))
        try:
            _ask("Run", self._session, None, *named, *wanted, found)
            return [_tensor(k, c_void_p(v)) for k, v in zip(self._kinds, found, strict=True)]
        finally:
            release = _call("ReleaseValue")
            for value in (given.value, *found):
                release(c_void_p(value))

    def _count(self, side: str) -> int:
        found = c_size_t()
        _ask(f"SessionGet{side}Count", self._session, byref(found))
        return found.value

    def _name(self, side: str, at: int) -> str:
        text = c_void_p()
        _ask(f"SessionGet{side}Name", self._session, c_size_t(at), _allocator(), byref(text))
        name = ctypes.string_at(text.value or 0)
        _ask("AllocatorFree", _allocator(), text)
        try:
            return name.decode()
        except UnicodeDecodeError as error:
            raise RuntimeError(f"the name {name[:40]!r} is not UTF-8") from error

    def _form(self, side: str, at: int) -> InputTensor:
        about, tensor, code = c_void_p(), c_void_p(), c_int()
        _ask(f"SessionGet{side}TypeInfo", self._session, c_size_t(at), byref(about))
        try:
            _ask("CastTypeInfoToTensorInfo", about, byref(tensor))
            if not tensor:
                raise RuntimeError(f"{self._name(side, at)} is no tensor")
            _ask("GetTensorElementType", tensor, byref(code))
            axes = _axes(tensor)
        finally:
            _call("ReleaseTypeInfo")(about)
        if code.value not in _KINDS:
            what = f"a type that arrays do not have (ONNX's {code.value})"
            raise RuntimeError(f"{self._name(side, at)} is of {what}")
        return InputTensor(_KINDS[code.value][0], tuple(n if n >= 0 else None for n in axes))


def prepare() -> None:
    """Load all that a model will need."""
    _env()


@functools.cache
def providers() -> tuple[str, ...]:
    """The execution providers that the library was built with."""
    names, count = POINTER(c_char_p)(), c_int()
    _ask("GetAvailableProviders", byref(names), byref(count))
    found = tuple(bytes(names[at] or b"").decode() for at in range(count.value))
    _ask("ReleaseAvailableProviders", names, count)
    return found


def _tensor(kind: str, value: c_void_p) -> OutputTensor:
    """A copy of `value`, a tensor of `kind`."""
    info, data = c_void_p(), c_void_p()
    _ask("GetTensorTypeAndShape", value, byref(info))
    try:
        axes = _axes(info)
    finally:
        _call("ReleaseTensorTypeAndShapeInfo")(info)
    size = math.prod(axes) * _SIZES[kind]
    if not size:
        return OutputTensor(kind, axes, memoryview(b""))
    _ask("GetTensorMutableData", value, byref(data))
    copied = bytearray((ctypes.c_ubyte * size).from_address(data.value or 0))
    return OutputTensor(kind, axes, memoryview(copied))


def _axes(info: c_void_p) -> tuple[int, ...]:
    """-1 is a free axis."""
    rank = c_size_t()
    _ask("GetDimensionsCount", info, byref(rank))
    axes = (c_int64 * rank.value)()
    _ask("GetDimensions", info, axes, rank)
    return tuple(axes)


@functools.cache
def _base() -> _Base:
    """Raises RuntimeError where the library is not."""
    package = importlib.util.find_spec("onnxruntime")
    folders = (package.submodule_search_locations or ()) if package is not None else ()
    paths = [p for folder in folders for p in Path(folder, "capi").glob("libonnxruntime.so*")]
    if len(paths) != 1:
        raise RuntimeError(
            f"{len(paths)} files libonnxruntime.so lie in ONNX Runtime's package; expected one: "
            "remove all packages of ONNX Runtime and install one again"
        )
    try:
        library = ctypes.CDLL(str(paths[0]), os.RTLD_LOCAL | os.RTLD_NOW)
    except OSError as error:
        raise RuntimeError(f"ONNX Runtime's library does not load: {error}") from error
    library.OrtGetApiBase.restype = POINTER(_Base)
    found: _Base = library.OrtGetApiBase().contents
    return found


@functools.cache
def _call(name: str) -> Callable[..., Any]:
    api = _base().GetApi(_VERSION)
    if api is None:
        raise RuntimeError(f"ONNX Runtime's library no longer speaks version {_VERSION} of its API")
    table = ctypes.cast(api, POINTER(c_void_p))
    kind = CFUNCTYPE if name in _LEAVES_THE_LOCK else PYFUNCTYPE
    return kind(c_void_p)(table[_PLACES[name]] or 0)


def _ask(name: str, *arguments: object) -> None:
    status = _call(name)(*arguments)
    if status is not None:
        held = c_void_p(status)
        text = ctypes.string_at(_call("GetErrorMessage")(held) or 0)
        _call("ReleaseStatus")(held)
        raise RuntimeError(text.decode("utf-8", "replace"))


@functools.cache
def _env() -> c_void_p:
    found = c_void_p()
    _ask("CreateEnv", c_int(_ERROR), b"edge-runtime", byref(found))
    return found


@functools.cache
def _memory() -> c_void_p:
    found = c_void_p()
    _ask("CreateCpuMemoryInfo", _ARENA, _MEMORY, byref(found))
    return found


@functools.cache
def _allocator() -> c_void_p:
    found = c_void_p()
    _ask("GetAllocatorWithDefaultOptions", byref(found))
    return found
