"""The teachers that packages ship, on real pictures: faces, text, persons."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teacher import TeacherSettings, TiledTeacher
from edgefactory.datasets.teachers import (
    EngineSettings,
    Teacher,
    fetched,
    open_teacher,
    parse_teacher,
)
from edgefactory.datasets.teachers.faces import read_faces
from edgefactory.datasets.teachers.text import read_text

from .graphs import constant_graph, grey, saved

Engine = Literal["onnxruntime", "openvino"]
ENGINES: tuple[Engine, ...] = ("onnxruntime", "openvino")

GRACE_HOPPER = (176, 128, 357, 334)  # her face in matplotlib's sample picture, drawn by hand
LINES = {"Counter 4": (60, 60), "closed until noon": (300, 330)}


def opened(kind: str, query: str = "", engine: Engine = "openvino") -> Teacher:
    try:
        path = fetched(parse_teacher(kind)).file
    except MissingError as error:
        pytest.skip(str(error))
    return open_teacher(parse_teacher(f"{kind}:{path}{query}"), EngineSettings(engine))


def portrait() -> NDArray[np.uint8]:
    path = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def notice() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A picture with two lines of text, and the boxes around their letters."""
    image = Image.new("RGB", (640, 480), (235, 235, 225))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(32)
    boxes = [draw.textbbox(at, line, font=font) for line, at in LINES.items()]
    for line, at in LINES.items():
        draw.text(at, line, fill=(20, 20, 60), font=font)
    return np.asarray(image), np.asarray(boxes, np.float32)


@pytest.mark.component
@pytest.mark.parametrize("engine", ENGINES)
def test_a_face_is_found(engine: Engine) -> None:
    teacher = opened("face", engine=engine)
    # Twice at one size and once at another: the engine is compiled for the first.
    first, again, smaller = teacher.predict([portrait(), portrait(), portrait()[::2, ::2].copy()])
    truth = np.asarray([GRACE_HOPPER], np.float32)
    for found, scale in ((first, 1), (again, 1), (smaller, 2)):
        assert found.scores[0] > 0.5
        assert iou_matrix(truth, scale * found.boxes[:1])[0, 0] > 0.7
        assert (found.scores > 0.5).sum() == 1
    assert teacher.classes == ("face",)


@pytest.mark.component
@pytest.mark.parametrize("engine", ENGINES)
def test_lines_of_text_are_found(engine: Engine) -> None:
    picture, boxes = notice()
    teacher = opened("text", engine=engine)
    (found,) = teacher.predict([picture])
    sure = found.boxes[found.scores > 0.5]
    assert len(sure) == len(boxes)
    assert (iou_matrix(boxes, sure).max(axis=1) > 0.6).all()
    assert teacher.predict([grey(640, 480)])[0].scores.size == 0


@pytest.mark.component
def test_the_person_teacher_is_the_lines_own() -> None:
    teacher = opened("person", "?tile=0.8")
    (found,) = teacher.predict([portrait()])
    path = fetched(parse_teacher("person")).file
    assert path is not None
    expected = TiledTeacher(Path(path), TeacherSettings(tile=0.8)).predict(portrait())
    assert found.scores[0] > 0.5
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_allclose(found.boxes, expected.boxes.clip(0), atol=1e-3)


def test_a_class_can_have_another_name(tiny_teacher: Path) -> None:
    teacher = open_teacher(parse_teacher(f"person:{tiny_teacher}", ("customer",)))
    assert teacher.classes == ("customer",)
    with pytest.raises(InputError, match="knows 1 classes"):
        open_teacher(parse_teacher(f"person:{tiny_teacher}", ("a", "b")))


@pytest.mark.parametrize("kind", ["person", "face", "text"])
def test_another_model_is_refused(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path / "m.onnx", constant_graph({"out": np.zeros((1, 3), np.float32)}))
    with pytest.raises(InputError, match=r"m\.onnx"):
        open_teacher(parse_teacher(f"{kind}:{path}"))
    with pytest.raises(InputError, match="sise"):
        open_teacher(parse_teacher(f"{kind}:{path}?sise=3"))
    saved(path, b"no model")
    with pytest.raises(InputError, match=r"m\.onnx"):
        open_teacher(parse_teacher(f"{kind}:{path}"))


def test_a_cell_of_the_heatmap_is_a_face() -> None:
    maps = {"537": np.zeros((1, 1, 20, 30), np.float32)}
    maps |= {name: np.zeros((1, 2, 20, 30), np.float32) for name in ("538", "539")}
    maps["537"][0, 0, 5, 10] = 0.9
    maps["537"][0, 0, 5, 11] = 0.4  # the same face, one cell on
    maps["538"][0, :, 5, 10:12] = np.log([[6, 6], [4, 4]])  # heights, widths in cells
    maps["539"][0, :, 5, 10] = [0.25, -0.5]  # down, right
    found = read_faces(maps, (120, 80))
    x, y = (10 - 0.5 + 0.5) * 4, (5 + 0.25 + 0.5) * 4
    np.testing.assert_allclose(found.boxes, [[x - 8, y - 12, x + 8, y + 12]], rtol=1e-5)
    np.testing.assert_allclose(found.scores, [0.9])


def test_a_patch_of_the_map_is_grown_to_a_line() -> None:
    shares = np.zeros((1, 1, 40, 100), np.float32)
    shares[0, 0, 10:19, 20:69] = 0.8
    shares[0, 0, 30:31, 5:90] = 0.9  # too thin to be text
    found = read_text({"map": shares}, (200, 40))  # the map is half as wide as the input
    growth = 10 * 50 * 1.6 / (2 * (10 + 50))  # dilation makes it 10 x 50
    box = [20 - growth, 10 - growth, 70 + growth, 20 + growth]
    corner = np.asarray([box], np.float32) * [2, 1, 2, 1]
    np.testing.assert_allclose(found.boxes, corner, atol=2.01)
    assert 0.6 < found.scores[0] <= 0.8
    empty = read_text({"map": np.zeros((1, 1, 32, 32), np.float32)}, (32, 32))
    assert empty.boxes.shape == (0, 4)
