"""docs/labelling.md, as commands on real handwritten digits: pictures in, trusted labels out.

A weak classifier is the teacher; the people are the digits' own truth, in Label Studio's form.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from edgefactory.datasets import ErrorBound, read_manifest
from edgefactory.datasets.asking import read_questions

pytestmark = pytest.mark.component

EDGEFACTORY = Path(sys.executable).with_name("edgefactory")
TAUGHT, POOL, CHECKED = 200, 900, 250
DIGITS = "0,1,2,3,4,5,6,7,8,9"

Truth = dict[str, str]
"""The name of a picture's file to the digit in it."""


def edgefactory(*arguments: str | Path) -> dict[str, Any]:
    """The figures of a command that must succeed."""
    done = subprocess.run(
        [EDGEFACTORY, *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert isinstance(figures, dict)
    return figures


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """A folder with pictures of digits and nothing else, and what is in them."""
    folder = tmp_path_factory.mktemp("digits") / "pictures"
    folder.mkdir()
    pixels, digits = load_digits(return_X_y=True)
    known = {}
    for number in range(TAUGHT, TAUGHT + POOL):
        grey = np.round(pixels[number].reshape(8, 8) * (255 / 16)).astype(np.uint8)
        known[f"{number}.png"] = str(digits[number])
        Image.fromarray(np.kron(grey, np.ones((4, 4), np.uint8))).save(folder / f"{number}.png")
    return folder, known


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logistic regression on 200 other digits, as an ONNX classifier of 32x32 pictures."""
    pixels, digits = load_digits(return_X_y=True)
    learned = LogisticRegression(max_iter=2000).fit(pixels[:TAUGHT] / 16, digits[:TAUGHT])
    weights = {
        "scale": np.array(255, np.float32),
        "shape": np.array([-1, 64], np.int64),
        "w": learned.coef_.T.astype(np.float32),
        "b": learned.intercept_.astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["real", "scale"], ["unit"]),
        helper.make_node("ReduceMean", ["unit"], ["grey"], axes=[3], keepdims=0),
        helper.make_node("Unsqueeze", ["grey", "one"], ["plane"]),
        helper.make_node("AveragePool", ["plane"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Reshape", ["small", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = {**weights, "one": np.array([1], np.int64)}
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "digits",
        [value("image", TensorProto.UINT8, ["N", 32, 32, 3])],
        [value("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path_factory.mktemp("teacher") / "digits.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def answers(path: Path, snapshot: Path, asked: Iterable[str], known: Truth) -> Path:
    """What a person says of the pictures `asked`, as Label Studio exports it."""
    names = {item.id: item.name for item in read_manifest(snapshot).items}
    tasks = []
    for sample in asked:
        name = names[sample]
        assert name is not None
        choice = {"type": "choices", "value": {"choices": [known[name]]}}
        answer = {"result": [choice], "completed_by": {"email": "ann@bank.example"}}
        tasks.append({"data": {"sample": sample}, "annotations": [answer]})
    path.write_text(json.dumps(tasks))
    return path


def test_from_pictures_to_labels_with_a_stated_error(
    truth: tuple[Path, Truth], teacher: Path, tmp_path: Path
) -> None:
    folder, known = truth
    raw, guessed, checked, bounded = (tmp_path / name for name in ("raw", "a", "b", "c"))
    kind = ("--task", "classification", "--classes", DIGITS)
    edgefactory("data", "import", "pictures", folder, "--out", raw, *kind)
    who = ("--teacher", f"onnx:{teacher}", "--classes", DIGITS)
    edgefactory("label", "auto", raw, "--out", guessed, *who)
    asked = tmp_path / "next.json"
    edgefactory("label", "next", guessed, "--calibration", str(CHECKED), "--out", asked)
    people = answers(
        tmp_path / "people.json", guessed, [q.id for q in read_questions(asked).asked], known
    )
    edgefactory("data", "import", "label-studio", people, "--snapshot", guessed, "--out", checked)
    wanted = ("--max-error", "0.1", "--confidence", "0.9", "--pooled", "--checked", str(CHECKED))
    edgefactory("label", "auto", checked, "--out", bounded, *who, *wanted)

    found = read_manifest(bounded)
    (bound,) = found.bounds
    stated = [
        (item, label) for item in found.items for label in item.labels if label.bound == bound.id
    ]
    assert len(stated) == bound.labels > POOL // 10
    wrong = sum(label.class_ != known[item.name or ""] for item, label in stated)
    assert wrong <= bound.max_error * len(stated)
    assert sum(item.reviewed for item in found.items) == CHECKED
    waiting = {item.id for item in found.items for label in item.labels if label.state == "queued"}
    assert len(waiting) == POOL - CHECKED - bound.labels
    _after(bounded, bound, tmp_path)


def _after(bounded: Path, bound: ErrorBound, folder: Path) -> None:
    """What follows: which pictures to ask next, and a data set to train on."""
    following = edgefactory("label", "next", bounded, "--count", "20")
    seen = {item.id for item in read_manifest(bounded).items if item.reviewed}
    assert len(following["asked"]) == 20
    assert not seen & {question["id"] for question in following["asked"]}
    edgefactory("data", "split", bounded, "--out", folder / "d", "--gap", "0")
    assert edgefactory("data", "stats", folder / "d")["pictures"] == POOL
    assert read_manifest(folder / "d").bounds == (bound,)
