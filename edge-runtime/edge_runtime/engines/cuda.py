"""The few calls of the CUDA driver that running an engine needs, by ctypes: no extra package.

`libcuda.so.1` comes with the driver, so its absence means that there is no card to use.
"""

import ctypes
from functools import cache
from typing import Any

from edge_runtime.errors import RefusedError

_LIBRARY = "libcuda.so.1"
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute


@cache
def _driver() -> ctypes.CDLL | None:
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    return driver if driver.cuInit(0) == 0 else None


def capability() -> str | None:
    """The first card's compute capability as "sm86"; None when there is no usable card."""
    driver = _driver()
    device = ctypes.c_int()
    if driver is None or driver.cuDeviceGet(ctypes.byref(device), 0) != 0:
        return None
    parts = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) != 0:
            return None
        parts.append(str(value.value))
    return "sm" + "".join(parts)


def unavailable() -> str | None:
    """Why no NVIDIA card can be used here; None when one can."""
    if _driver() is None:
        return f"no NVIDIA driver answers here ({_LIBRARY}); install it, on a box with a card"
    return None if capability() else "no NVIDIA card is visible; check `nvidia-smi`"


def _check(status: int, what: str) -> None:
    if status != 0:
        raise RefusedError(f"the CUDA driver fails to {what} (error {status})")


class Stream:
    """The primary context of the first card and one stream of work on it."""

    def __init__(self) -> None:
        driver = _driver()
        if driver is None:
            raise RefusedError(unavailable() or "no NVIDIA card")
        self._driver: Any = driver
        device, context, self._stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        _check(driver.cuDeviceGet(ctypes.byref(device), 0), "find the card")
        _check(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device), "open the card")
        _check(driver.cuCtxSetCurrent(context), "use the card")
        _check(driver.cuStreamCreate(ctypes.byref(self._stream), 0), "make a stream")

    @property
    def handle(self) -> int:
        """The stream as TensorRT takes it."""
        return int(self._stream.value or 0)

    def allocate(self, size: int) -> int:
        """The address of `size` new bytes on the card."""
        address = ctypes.c_uint64()
        _check(
            self._driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(max(size, 1))),
            f"allocate {size} bytes on the card",
        )
        return int(address.value)

    def free(self, address: int) -> None:
        """Give back what `allocate` gave."""
        self._driver.cuMemFree_v2(ctypes.c_uint64(address))

    def upload(self, address: int, host: int, size: int) -> None:
        """Copy `size` bytes from the host address to the card."""
        _check(
            self._driver.cuMemcpyHtoDAsync_v2(
                ctypes.c_uint64(address), ctypes.c_void_p(host), ctypes.c_size_t(size), self._stream
            ),
            "copy to the card",
        )

    def download(self, host: int, address: int, size: int) -> None:
        """Copy `size` bytes from the card to the host address."""
        _check(
            self._driver.cuMemcpyDtoHAsync_v2(
                ctypes.c_void_p(host), ctypes.c_uint64(address), ctypes.c_size_t(size), self._stream
            ),
            "copy from the card",
        )

    def wait(self) -> None:
        """Until all work given to the stream is done."""
        _check(self._driver.cuStreamSynchronize(self._stream), "finish its work")
