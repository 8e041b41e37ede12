"""Reading features over time: NumPy's .npy files and tables of text, both as f32 [T,F]."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import read_bytes

MAX_FEATURES: Final = 16384  # rows of a picture
_MAX_BYTES: Final = 64 * 2**20
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# What numpy raises over headers that are not its own.
_NO_NPY: Final = (
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    SyntaxError,
    TokenError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Series:
    """Features over time: `values` f32 [T,F]; `columns` are their names where the file has them."""

    values: NDArray[np.float32]
    columns: tuple[str, ...] | None = None


def read_series(path: Path) -> Series:
    """The features of the file at `path`, .npy or .csv: one row a step, one column a feature.

    Raises `MissingError` if it is not there, `InputError` if it is no such table, has no rows, or
    holds what is no finite number.
    """
    content = read_bytes(path, _MAX_BYTES, "series")
    series = _from_npy(content, path) if path.suffix.lower() == ".npy" else _from_csv(content, path)
    steps, features = series.values.shape
    if not steps or not 1 <= features <= MAX_FEATURES:
        raise InputError(
            f"series {path} has {steps} steps of {features} features; expected one or more, of at "
            f"most {MAX_FEATURES} features"
        )
    finite = np.isfinite(series.values)
    if not finite.all():
        step, feature = (int(i) for i in np.argwhere(~finite)[0])
        raise InputError(
            f"series {path}: feature {feature} of step {step} is {series.values[step, feature]}; "
            "expected finite numbers"
        )
    return series


def _from_npy(content: bytes, path: Path) -> Series:
    """The array, taken out of the bytes by hand: nothing is unpickled, and a header cannot ask for
    more memory than the file has bytes."""
    file = io.BytesIO(content)
    try:
        shape, by_column, kind = _HEADERS[npy.read_magic(file)](file)  # type: ignore[no-untyped-call]  # numpy's stubs leave it open
    except _NO_NPY as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"series {path} is no .npy file that can be read: {said}") from error
    if kind.hasobject:
        raise InputError(f"series {path} holds Python objects; save it as an array of numbers")
    if len(shape) != 2 or min(shape) < 0 or kind.kind not in "fiub":
        raise InputError(
            f"series {path} is {kind} {list(shape)}; expected numbers [steps, features]"
        )
    data = content[file.tell() :]
    if len(data) != math.prod(shape) * kind.itemsize:
        raise InputError(f"series {path} has {len(data)} bytes of data, not those of {list(shape)}")
    array = np.frombuffer(data, kind).reshape(shape, order="F" if by_column else "C")
    with np.errstate(over="ignore"):  # what does not fit f32 is told as infinite
        return Series(array.astype(np.float32))


def _from_csv(content: bytes, path: Path) -> Series:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"series {path} is no text in UTF-8: {error}") from error
    columns: tuple[str, ...] | None = None
    rows: list[list[float]] = []
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not rows and columns is None and not any(map(_is_number, cells)):
                columns = tuple(cell.strip() for cell in cells)
                continue
            rows.append(_numbers(cells, path, reader.line_num))
            width = len(columns) if columns is not None else len(rows[0])
            if len(cells) != width:
                raise InputError(
                    f"series {path} line {reader.line_num} has {len(cells)} columns, expected "
                    f"{width}"
                )
    except csv.Error as error:
        raise InputError(f"series {path} line {reader.line_num}: {error}") from error
    with np.errstate(over="ignore"):
        values = np.asarray(rows, np.float64).astype(np.float32)
    return Series(values.reshape(len(rows), -1 if rows else 0), columns)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(cells: list[str], path: Path, line: int) -> list[float]:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        strange = next(cell for cell in cells if not _is_number(cell))
        raise InputError(f"series {path} line {line}: {strange[:40]!r} is no number") from None
