"""`label auto` on the command line: what it needs, and one line for what is wrong with it.

How it labels is tested in tests/datasets/test_auto_labelling.py and test_auto_labelling_killed.py.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item
from edgefactory.datasets.manifest import read_manifest
from edgefactory.pipelines import main


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Two pictures: a dark one and a light one."""
    contents = {}
    for value in (10, 200):
        buffer = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(buffer, "PNG")
        contents[hashlib.sha256(buffer.getvalue()).hexdigest()] = buffer.getvalue()
    items = [
        Item(key, f"images/{key}.png", 8, 8, "day", None, 0.0, "train", ()) for key in contents
    ]
    header = Header("light", "classification", ("dark", "light"), "teacher")
    write_snapshot(tmp_path / "before", header, items, lambda item: contents[item.id])
    return tmp_path / "before"


@pytest.fixture
def light_meter(tmp_path: Path) -> Path:
    """A classifier of our graph contract: the share of light in a picture, and of dark."""
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["light"]),
        helper.make_node("Sub", ["one", "light"], ["dark"]),
        helper.make_node("Reshape", ["light", "shape"], ["light2"]),
        helper.make_node("Reshape", ["dark", "shape"], ["dark2"]),
        helper.make_node("Concat", ["dark2", "light2"], ["probabilities"], axis=1),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "white": np.array(255, np.float32),
        "one": np.array(1, np.float32),
        "shape": np.array([-1, 1], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "light",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path / "light.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


@pytest.mark.component
def test_a_classifier_labels_pictures(
    snapshot: Path, light_meter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["label", "auto", str(snapshot), "--teacher", f"onnx:{light_meter}"]
    command += ["--classes", "dark, light", "--accept", "0.9", "--workers", "1"]
    command += ["--engine", "onnxruntime", "--out", str(tmp_path / "after"), "--json"]
    assert main(command) == 0
    figures = json.loads(capfd.readouterr().out)
    assert (figures["accepted"], figures["queued"], figures["groups"]) == (1, 1, [])
    dark, light = read_manifest(tmp_path / "after").items
    assert [(one.class_, one.state) for one in dark.labels] == [("dark", "accepted")]
    assert [(one.class_, one.state) for one in light.labels] == [("light", "queued")]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--teacher", "owl"], 2, "teacher 'owl': the kind is one of person, face"),
        (["--teacher", "onnx:none.onnx"], 3, "none.onnx is not there"),
        (["--teacher", "person", "--accept", "0.1"], 2, "expected 0 < queue <= accept <= 1"),
        (["--teacher", "person", "--gap", "-1"], 2, "expected gap 0..1000"),
        (["--teacher", "person", "--workers", "0"], 2, "expected 1..256 workers"),
        (["--teacher", "person", "--max-error", "5"], 2, "max_error 5.0: expected a share"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_code(
    snapshot: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    says: str,
) -> None:
    command = ["label", "auto", str(snapshot), *options, "--out", str(tmp_path / "after")]
    assert main([*command, "--engine", "onnxruntime"]) == code
    error = capfd.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "after").exists()


def test_a_snapshot_that_is_not_there_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["label", "auto", str(tmp_path / "none"), "--teacher", "person"]
    assert main([*command, "--engine", "onnxruntime", "--out", str(tmp_path / "after")]) == 3
    assert "expected the folder of a snapshot" in capfd.readouterr().err
