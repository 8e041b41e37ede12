"""Features over time: .npy without pickles, tables of text, and what is neither."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.datasets.series import read_series

from .recordings import write_csv

ROWS = np.asarray([[1.5, -2, 3e-7], [4, 5, 6], [0, -0.0, 1e20]], np.float32)


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "|u1", "|b1", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_numbers_are_read(tmp_path: Path, kind: str, order: str) -> None:
    array = np.arange(12).reshape(4, 3).astype(kind)
    path = tmp_path / "a.npy"
    path.write_bytes(npy(np.asfortranarray(array) if order == "F" else array))
    found = read_series(path)
    assert found.values.dtype == np.float32
    assert np.array_equal(found.values, array.astype(np.float32))
    assert found.columns is None


@pytest.mark.parametrize("header", ["", "x, y,z"])
def test_a_table_may_say_what_its_columns_are(tmp_path: Path, header: str) -> None:
    found = read_series(write_csv(tmp_path / "a.csv", ROWS, header))
    assert np.array_equal(found.values, ROWS)
    assert found.columns == (("x", "y", "z") if header else None)


def test_a_table_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf"x","y"\r\n1, 2\r\n\r\n"3",4e0\r\n')
    found = read_series(path)
    assert found.columns == ("x", "y")
    assert found.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2\n3\n", "line 2 has 1 columns, expected 2"),
        ("x,y\n1,2,3\n", "line 2 has 3 columns, expected 2"),
        ("1,2\n3,\n", "line 2: '' is no number"),
        ("1,2\n3,four\n", "line 2: 'four' is no number"),
        ("1,2\n3,nan\n", "feature 1 of step 1 is nan; expected finite numbers"),
        ("1,2\n-inf,4\n", "feature 0 of step 1 is -inf"),
        ("1,1e39\n", "feature 1 of step 0 is inf"),  # beyond f32
        ("x,y\n", "has 0 steps of 0 features"),
        ("\n \n", "has 0 steps"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        read_series(tmp_path / "a.csv")
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


HEADER = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy([[object()]]), "holds Python objects; save it as an array of numbers"),
        (npy([{"a": 1}]), "holds Python objects"),
        (npy([[1j]]), r"is complex128 \[1, 1\]; expected numbers \[steps, features\]"),
        (npy([["text"]]), "is <U4"),
        (npy([1.0, 2.0]), r"is float64 \[2\]; expected numbers \[steps, features\]"),
        (npy(np.zeros((2, 2, 2))), r"\[2, 2, 2\]"),
        (npy(np.zeros((0, 3))), "has 0 steps of 3 features"),
        (npy(np.zeros((3, 0))), "has 3 steps of 0 features"),
        (npy(np.zeros((1, 16385), np.int8)), "at most 16384 features"),
        (npy([[1, np.nan]]), "feature 1 of step 0 is nan"),
        (npy(ROWS)[:-1], "has 35 bytes of data, not those of"),
        (npy(ROWS) + b"!", "has 37 bytes of data"),
        ((HEADER % b"10**12, 10**12").ljust(127) + b"\n", "is no .npy file that can be read"),
        ((HEADER % b"999999999, 999999999").ljust(127) + b"\n", "has 0 bytes of data"),
        ((HEADER % b"-1, -1").ljust(127) + b"\n1234", r"\[-1, -1\]"),
        (b"PK\x03\x04 a zip, as .npz is", "is no .npy file"),
        (b"1,2\n3,4\n", "is no .npy file"),
    ],
)
def test_an_array_that_is_none_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        read_series(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="is not there"):
        read_series(tmp_path / "none.npy")
    (tmp_path / "a.csv").touch()
    with pytest.raises(InputError, match=r"a\.csv is empty"):
        read_series(tmp_path / "a.csv")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_refused_in_one_line_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(npy(ROWS))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.npy"
    path.write_bytes(bytes(content))
    said = ""
    try:
        values = read_series(path).values
    except EdgefactoryError as error:
        said = str(error)
    else:
        assert np.isfinite(values).all()
    assert "\n" not in said
