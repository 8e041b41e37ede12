"""Graphs of every recognised form, in both engines: what they answer, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import openvino as ov
import pytest
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teachers import EngineSettings, Found, open_teacher, parse_teacher

from .graphs import NCHW, NHWC, Array, Shape, constant_graph, grey, means_graph, saved

Engine = Literal["onnxruntime", "openvino"]
ENGINES: tuple[Engine, ...] = ("onnxruntime", "openvino")

# Two boxes in a picture of 200x100; the graphs of 100x100 below see it stretched by one half.
BOXES = np.array([[20, 10, 60, 50], [100, 20, 180, 80]], np.float32)
SEEN = BOXES * np.array([0.5, 1, 0.5, 1], np.float32)
CENTRES = np.concatenate([(SEEN[:, :2] + SEEN[:, 2:]) / 2, SEEN[:, 2:] - SEEN[:, :2]], axis=1)
SCORES = np.array([0.9, 0.6], np.float32)
LOGITS = np.log(SCORES / (1 - SCORES))


def f32(value: object) -> NDArray[np.float32]:
    return np.asarray(value, np.float32)


def yolo_head() -> NDArray[np.float32]:
    """[1,4+2,4]: the two boxes, the first once more a little off, and one of no score."""
    rows = np.zeros((4, 6), np.float32)
    rows[:3, :4] = CENTRES[[0, 1, 0]] + [[0], [0], [1]]
    rows[0, 4], rows[1, 5], rows[2, 4] = 0.9, 0.6, 0.5
    return rows.T[None].copy()


FORMS: dict[str, dict[str, Array]] = {
    "contract": {
        "boxes": np.concatenate([SEEN, np.zeros((1, 4), np.float32)])[None],
        "scores": f32([[*SCORES, 0]]),
        "labels": np.array([[0, 1, 0]]),
    },
    "torchvision": {"boxes": SEEN, "labels": np.array([1, 2]), "scores": SCORES},
    "unnamed": {"12": SEEN, "13": np.array([1, 2]), "14": SCORES},
    "rt-detr": {
        "logits": f32([[[LOGITS[0], -9], [-9, LOGITS[1]]]]),
        "pred_boxes": f32(CENTRES[None] / 100),
    },
    "detr": {
        "logits": np.log(f32([[[0.9, 0.05, 0.05], [0.1, 0.6, 0.3]]])),
        "pred_boxes": f32(CENTRES[None] / 100),
    },
    "detection-output": {
        "out": f32([[[[0, 1, 0.9, *SEEN[0] / 100], [0, 2, 0.6, *SEEN[1] / 100], [-1] + [0] * 6]]])
    },
    "yolo": {"output0": yolo_head()},
    "yolo-ended": {"output0": f32([[[*SEEN[0], 0.9, 0], [*SEEN[1], 0.6, 1]]])},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(tmp_path: Path, form: str, engine: Engine) -> None:
    content = constant_graph(FORMS[form], [1, 3, 100, 100])
    path = saved(tmp_path / "model.onnx", content)
    teacher = open_teacher(parse_teacher(f"onnx:{path}", ("car", "bus")), EngineSettings(engine))
    assert (teacher.task, teacher.classes) == ("detection", ("car", "bus"))
    assert teacher.digest == hashlib.sha256(content).hexdigest()
    first, second = teacher.predict([grey(), grey(100, 100)])
    check(first, BOXES)
    check(second, SEEN)


def check(found: Found, boxes: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(found.boxes, boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, SCORES, atol=1e-5)
    assert found.classes.tolist() == [0, 1]
    assert found.probabilities is None
    types = [str(part.dtype) for part in (found.boxes, found.scores, found.classes)]
    assert types == ["float32", "float32", "int64"]


def test_scores_under_the_lowest_are_not_reported(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", constant_graph(FORMS["contract"], [1, 3, 100, 100]))
    teacher = open_teacher(parse_teacher(f"onnx:{path}?min_score=0.7", ("car", "bus")))
    assert len(teacher.predict([grey()])[0].scores) == 1


def test_boxes_are_clipped_and_those_without_area_dropped(tmp_path: Path) -> None:
    boxes = f32([[[-5, 10, 300, 50], [250, 0, 260, 9], [40, 40, 40, 60], [0, 0, np.nan, 9]]])
    answers: dict[str, Array] = {"boxes": boxes, "scores": f32([[0.5, 0.9, 0.9, 0.9]])}
    path = saved(tmp_path / "m.onnx", constant_graph(answers, NHWC, "uint8"))
    found = open_teacher(parse_teacher(f"onnx:{path}", ("car",))).predict([grey()])[0]
    assert found.boxes.tolist() == [[0, 10, 200, 50]]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_classifier_sees_the_pixels_as_it_was_told(tmp_path: Path, engine: Engine) -> None:
    path = saved(tmp_path / "m.onnx", means_graph())
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0], picture[..., 2] = 255, 51

    def shares(options: str) -> NDArray[np.float32]:
        spec = parse_teacher(f"onnx:{path}?{options}", ("red", "green", "blue"))
        teacher = open_teacher(spec, EngineSettings(engine))
        assert teacher.task == "classification"
        found = teacher.predict([picture])[0]
        assert found.probabilities is not None
        assert found.classes.tolist() == [int(found.probabilities.argmax())]
        assert found.scores.tolist() == [found.probabilities.max()]
        assert found.boxes.shape == (0, 4)
        return found.probabilities

    def softmax(*logits: float) -> NDArray[np.float32]:
        powers = np.exp(f32(logits))
        return f32(powers / powers.sum())

    np.testing.assert_allclose(shares("size=8"), softmax(1, 0, 0.2), rtol=1e-5)
    np.testing.assert_allclose(shares("colour=BGR"), softmax(0.2, 0, 1), rtol=1e-5)
    np.testing.assert_allclose(shares("divide=51"), softmax(5, 0, 1), rtol=1e-5)
    told = shares("mean=0.5/0.5/0.1&std=0.5/0.5/0.1")
    np.testing.assert_allclose(told, softmax(1, -1, 1), rtol=1e-5)
    imagenet = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    np.testing.assert_allclose(shares("mean=imagenet"), softmax(*imagenet), rtol=1e-4)


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    answers: dict[str, Array] = {"out": f32([[0.2, 0.7, 0.1]])}
    path = saved(tmp_path / "m.onnx", constant_graph(answers))
    found = open_teacher(parse_teacher(f"onnx:{path}", ("a", "b", "c"))).predict([grey()])[0]
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, [0.2, 0.7, 0.1], rtol=1e-6)


def test_a_letterboxed_picture_comes_back(tmp_path: Path) -> None:
    # 200x100 lies in the middle of 100x100: half its size, 25 pixels from the top.
    lying = BOXES / 2 + f32([0, 25, 0, 25])
    answers: dict[str, Array] = {"boxes": lying[None], "scores": SCORES[None]}
    path = saved(tmp_path / "m.onnx", constant_graph(answers))
    spec = parse_teacher(f"onnx:{path}?size=100&fit=letterbox", ("car",))
    found = open_teacher(spec).predict([grey()])[0]
    np.testing.assert_allclose(found.boxes, BOXES, atol=1e-3)


def test_an_openvino_model_is_its_two_files(tmp_path: Path) -> None:
    onnx = saved(tmp_path / "m.onnx", constant_graph(FORMS["torchvision"], [1, 3, 100, 100]))
    path = tmp_path / "ir" / "m.xml"
    ov.save_model(ov.Core().read_model(onnx), path, compress_to_fp16=False)
    spec = parse_teacher(f"openvino:{path}", ("car", "bus"))
    teacher = open_teacher(spec)
    check(teacher.predict([grey()])[0], BOXES)
    files = [path.with_suffix(".bin"), path]
    lines = "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files)
    assert teacher.digest == hashlib.sha256(lines.encode()).hexdigest()
    with pytest.raises(InputError, match="run it with the engine openvino"):
        open_teacher(spec, EngineSettings("onnxruntime"))
    path.with_suffix(".bin").unlink()
    with pytest.raises(MissingError, match=r"m\.bin is not there"):
        open_teacher(spec)


REFUSED: dict[str, tuple[dict[str, Array], Shape, str]] = {
    "raw-head": ({"out": np.zeros((1, 8, 7), np.float32)}, NCHW, "of no known form"),
    "two-maps": ({"a": f32([[0]]), "b": f32([[0]])}, NCHW, "of no known form"),
    "other-classes": ({"out": np.zeros((1, 5), np.float32)}, NCHW, "for 2 classes"),
    "grey": ({"out": f32([[0, 1]])}, [1, 1, 8, 8], r"\[1,3,H,W\] or \[1,H,W,3\]"),
    "batch": ({"out": f32([[0, 1]])}, [4, 3, 8, 8], r"expected one picture"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_graphs_are_refused_in_a_line(tmp_path: Path, case: str) -> None:
    answers, shape, told = REFUSED[case]
    path = saved(tmp_path / "m.onnx", constant_graph(answers, shape))
    with pytest.raises(InputError, match=told) as caught:
        open_teacher(parse_teacher(f"onnx:{path}", ("car", "bus")))
    assert "m.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("size=0", "size=640"),
        ("size=1x2x3", "size=640"),
        ("mean=1/2", "three numbers"),
        ("std=0/1/1", "greater than 0"),
        ("fit=crop", "fit"),
        ("colour=RGB&sise=3", "sise"),
    ],
)
def test_options_that_are_wrong_are_named(tmp_path: Path, options: str, told: str) -> None:
    path = saved(tmp_path / "m.onnx", means_graph())
    with pytest.raises(InputError, match=told):
        open_teacher(parse_teacher(f"onnx:{path}?{options}", ("a", "b", "c")))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_model_is_one_line(tmp_path: Path, engine: Engine) -> None:
    path = saved(tmp_path / "bad.onnx", b"not a model")
    with pytest.raises(InputError, match=r"bad\.onnx does not load") as caught:
        open_teacher(parse_teacher(f"onnx:{path}", ("a",)), EngineSettings(engine))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("key", "text", "classes"),
    [
        ("edgefactory.classes", '["car","bus"]', ("car", "bus")),
        ("names", "{0: 'car', 1: 'bus'}", ("car", "bus")),
        ("names", "{0: 'car', 2: 'bus'}", None),
        ("names", "__import__('os')", None),
        ("edgefactory.classes", "car, bus", None),
        ("other", "['car']", None),
    ],
)
def test_a_file_may_name_its_classes_itself(
    tmp_path: Path, engine: Engine, key: str, text: str, classes: tuple[str, ...] | None
) -> None:
    model = onnx.load_model_from_string(constant_graph(FORMS["contract"]))
    model.metadata_props.add(key=key, value=text)
    spec = parse_teacher(f"onnx:{saved(tmp_path / 'm.onnx', model.SerializeToString())}")
    if classes is None:
        with pytest.raises(InputError, match="name its classes"):
            open_teacher(spec, EngineSettings(engine))
    else:
        assert open_teacher(spec, EngineSettings(engine)).classes == classes


def test_a_class_beyond_the_named_ones_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", constant_graph(FORMS["contract"]))
    teacher = open_teacher(parse_teacher(f"onnx:{path}", ("car",)))
    with pytest.raises(InputError, match="class 1, but 1 classes are named"):
        teacher.predict([grey()])


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", means_graph())
    teacher = open_teacher(parse_teacher(f"onnx:{path}", ("a", "b", "c")))
    with pytest.raises(InputError, match=r"uint8 \[H,W,3\]"):
        teacher.predict([np.zeros((10, 10), np.uint8)])


def test_onnx_runtime_computes_in_f32_only(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", means_graph())
    with pytest.raises(InputError, match="use f32"):
        open_teacher(
            parse_teacher(f"onnx:{path}", ("a", "b", "c")), EngineSettings("onnxruntime", "bf16")
        )
