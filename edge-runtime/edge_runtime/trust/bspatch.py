"""BSDIFF40 patches applied in bounded memory (Percival, "Naive differences of executable code").

A patch is a header of 32 bytes, then three bzip2 streams: control triples (bytes to add from the
base, bytes to insert, where to go on in the base), the differences, the insertions. Decoded here
and not by a library, since those unpack whatever length a stream comes to.
"""

import bz2

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import TrustError

_MAGIC = b"BSDIFF40"
_HEADER = 32
_TRIPLE = 24  # bytes: three integers of eight
_SIGN = 1 << 63  # integers are a sign bit and a magnitude, little-endian
_SHORTEST = 8  # bsdiff begins no new match for fewer bytes, so there are no more triples than that


def apply_patch(base: bytes, patch: bytes, length: int) -> bytes:
    """The `length` bytes that `patch` makes of `base`; the caller knows their digest.

    At no time more than five times `length` is held beside `base` and `patch`. Raises TrustError
    when it is no patch, does not belong to a base of this size, or comes to another length.
    """
    if len(patch) < _HEADER or not patch.startswith(_MAGIC):
        raise TrustError("it is not a BSDIFF40 patch")
    sizes = _integers(patch[len(_MAGIC) : _HEADER])
    control_end, diff_end = _HEADER + sizes[0], _HEADER + sizes[0] + sizes[1]
    if min(sizes) < 0 or diff_end > len(patch) or sizes[2] != length:
        raise TrustError(f"it states sizes {sizes}, for a file of {length} bytes")
    most = _TRIPLE * (length // _SHORTEST + _SHORTEST)
    control = _integers(_unpacked(patch[_HEADER:control_end], most))
    diff = np.frombuffer(_unpacked(patch[control_end:diff_end], length), np.uint8)
    extra = np.frombuffer(_unpacked(patch[diff_end:], length - len(diff)), np.uint8)
    if len(diff) + len(extra) != length or len(control) % 3:
        raise TrustError(f"it comes to {len(diff) + len(extra)} bytes, expected {length}")
    return _joined(np.frombuffer(base, np.uint8), control, diff, extra)


def _joined(
    base: npt.NDArray[np.uint8],
    control: list[int],
    diff: npt.NDArray[np.uint8],
    extra: npt.NDArray[np.uint8],
) -> bytes:
    result = np.empty(len(diff) + len(extra), np.uint8)
    old = new = differed = inserted = 0
    for add, insert, move in zip(control[::3], control[1::3], control[2::3], strict=True):
        ends = (differed + add, inserted + insert, old + add)
        if min(add, insert) < 0 or ends[0] > len(diff) or ends[1] > len(extra):
            raise TrustError("it adds or inserts more than it brings")
        if add and not 0 <= old <= ends[2] <= len(base):
            raise TrustError("it reads outside of the base")
        np.add(base[old : ends[2]], diff[differed : ends[0]], out=result[new : new + add])
        result[new + add : new + add + insert] = extra[inserted : ends[1]]
        differed, inserted, old = ends[0], ends[1], ends[2] + move
        new += add + insert
    if new != len(result):
        raise TrustError(f"it makes {new} bytes, expected {len(result)}")
    return result.tobytes()


def _unpacked(data: bytes, most: int) -> bytes:
    """The bzip2 stream `data`, of at most `most` bytes. Raises TrustError."""
    decompressor = bz2.BZ2Decompressor()
    try:
        found = decompressor.decompress(data, most + 1)
    except OSError as error:
        raise TrustError(f"a stream in it is damaged: {error}") from error
    if len(found) > most:
        raise TrustError(f"a stream in it unpacks to more than {most} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise TrustError("a stream in it breaks off or goes on")
    return found


def _integers(data: bytes) -> list[int]:
    if len(data) % 8:
        raise TrustError("its control block is no row of integers")
    raw: list[int] = np.frombuffer(data, "<u8").tolist()
    return [_SIGN - value if value & _SIGN else value for value in raw]
