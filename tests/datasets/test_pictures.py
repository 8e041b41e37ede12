"""Odd pictures: put right without losing a value, or refused in one line that names the file."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.pictures import Upright, turned, upright

PIXELS = np.random.default_rng(7).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def saved(path: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    image.save(path, kind, **options)
    return path


def decoded(found: Upright) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(found.content)) as image:
        assert image.format == {"jpg": "JPEG", "png": "PNG"}[found.kind]
        return np.asarray(image.convert("RGB"))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[274] = orientation
    return tags


@pytest.mark.parametrize(("kind", "ending"), [("JPEG", "jpg"), ("PNG", "png")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_upright_picture_is_kept_byte_for_byte(
    tmp_path: Path, kind: str, ending: str, mode: str
) -> None:
    path = saved(tmp_path / "a", Image.fromarray(PIXELS).convert(mode), kind, exif=exif(1))
    found = upright(path)
    assert (found.content, found.kind, found.mended) == (path.read_bytes(), ending, None)
    assert (found.width, found.height) == (20, 12)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP", "PNG"])
def test_other_files_become_png_without_losing_a_value(tmp_path: Path, kind: str) -> None:
    few = Image.fromarray(PIXELS // 128 * 128).quantize(8)  # a palette
    image = few.convert("RGB") if kind in ("BMP", "TIFF", "WEBP") else few
    options = {"lossless": True} if kind == "WEBP" else {}
    found = upright(saved(tmp_path / "a", image, kind, **options))
    assert (found.kind, found.mended) == ("png", "converted to PNG")
    assert np.array_equal(decoded(found), np.asarray(few.convert("RGB")))


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_is_turned_as_exif_says_and_a_box_with_it(
    tmp_path: Path, orientation: int, kind: str
) -> None:
    pixels = np.zeros((12, 20, 3), np.uint8)
    pixels[2:5, 3:11] = 255
    stored = Image.fromarray(pixels)
    path = saved(tmp_path / "a", stored, kind, exif=exif(orientation))
    found = upright(path)
    assert (found.kind, found.mended, found.stored) == ("png", "turned upright", (20, 12))
    x0, y0, x1, y1 = (int(side) for side in turned((3, 2, 11, 5), orientation, (20, 12)))
    upright_pixels = decoded(found)
    expected = np.zeros_like(upright_pixels)
    expected[y0:y1, x0:x1] = 255
    assert np.array_equal(upright_pixels > 127, expected > 127)


def test_cmyk_is_converted_and_said_so(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    found = upright(saved(tmp_path / "a.jpg", image, "JPEG", quality=100))
    assert (found.kind, found.mended) == ("png", "converted from CMYK")
    assert decoded(found).shape == (12, 20, 3)


def test_an_opaque_alpha_is_dropped(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    image.putalpha(255)
    assert np.array_equal(decoded(upright(saved(tmp_path / "a", image, "PNG"))), PIXELS)


def test_bilevel_becomes_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS).convert("1")
    found = decoded(upright(saved(tmp_path / "a", image, "PNG")))
    assert np.array_equal(found, np.asarray(image.convert("RGB")))


def png(width: int, height: int, depth: int, rows: bytes) -> bytes:
    """A PNG in colour, made by hand, since Pillow writes neither deep ones nor liars."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    size = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def broken(path: Path, kind: str) -> Path:
    """One of the files that are refused."""
    image = Image.fromarray(PIXELS)
    deep = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    clear = image.copy()
    clear.putalpha(128)
    makers: dict[str, Any] = {
        "zero bytes": lambda: path.write_bytes(b""),
        "text": lambda: path.write_bytes(b"not a picture at all"),
        "truncated": lambda: path.write_bytes(saved(path, image, "JPEG").read_bytes()[:-300]),
        "corrupt": lambda: path.write_bytes(
            saved(path, image, "PNG").read_bytes()[:60] + bytes(90)
        ),
        "animated": lambda: saved(
            path, image, "GIF", save_all=True, append_images=[image.rotate(90)]
        ),
        "pages": lambda: saved(path, image, "TIFF", save_all=True, append_images=[image]),
        "16 bit": lambda: saved(path, deep, "PNG"),
        "16 bit tiff": lambda: saved(path, deep, "TIFF"),
        "float": lambda: saved(path, image.convert("F"), "TIFF"),
        "transparent": lambda: saved(path, clear, "PNG"),
        "bomb": lambda: path.write_bytes(png(16000, 16000, 8, b"")),
        "half a bomb": lambda: path.write_bytes(png(10000, 10000, 8, b"")),
        "wide": lambda: saved(path, Image.new("1", (20000, 2)), "PNG"),
        "script": lambda: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    }
    makers[kind]()
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("zero bytes", "is empty"),
        ("text", r"cannot be decoded \(it is of no known kind\)"),
        ("truncated", "cannot be decoded"),
        ("corrupt", "cannot be decoded"),
        ("animated", "animated"),
        ("pages", "pages"),
        ("16 bit", "more than 8 bits"),
        ("16 bit tiff", "more than 8 bits"),
        ("float", "more than 8 bits"),
        ("transparent", "transparent"),
        ("bomb", "too many pixels"),
        ("half a bomb", "too many pixels"),
        ("wide", "20000 pixels"),
        ("script", "cannot be decoded"),
    ],
)
def test_what_cannot_be_put_right_is_one_line(tmp_path: Path, kind: str, says: str) -> None:
    path = broken(tmp_path / "odd", kind)
    with pytest.raises(InputError, match=says) as caught:
        upright(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sixteen_bits_of_colour_are_not_cut_down_quietly(tmp_path: Path) -> None:
    """Pillow reads such a PNG as 8 bits without a word, so the file itself is asked."""
    path = tmp_path / "deep.png"
    path.write_bytes(png(2, 1, 16, b"\0" + bytes(range(12))))
    with pytest.raises(InputError, match="more than 8 bits"):
        upright(path)


def test_a_picture_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="is not there"):
        upright(tmp_path / "none.jpg")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    image = Image.fromarray(PIXELS)
    kinds = ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")
    return {kind: saved(folder / kind, image, kind).read_bytes() for kind in kinds}


@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"]),
    cut=st.floats(0.01, 1),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_damage_is_refused_or_survived(
    whole: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    cut: float,
    changes: list[tuple[float, int]],
) -> None:
    content = bytearray(whole[kind][: max(1, int(len(whole[kind]) * cut))])
    for place, value in changes:
        content[int(place * len(content))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        found = upright(path)
        assert decoded(found).shape == (found.height, found.width, 3)
