"""`edgefactory parity`: the verdict as an exit code, the table, JSON, the page, the refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_runtime.contract import InputSpec, preprocess, read
from edgefactory.compress.parity import Parity
from edgefactory.datasets import load_picture, read_snapshot
from edgefactory.pipelines import main

from ...compress.conftest import write_snapshot
from ...compress.parity.conftest import SIDE, classifier

pytestmark = pytest.mark.component

PICTURES = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "good.onnx"
    path.write_bytes(classifier())
    return path


@pytest.fixture(scope="module")
def spoilt(model: Path) -> Path:
    """The same, the weights of one layer turned round."""
    made = onnx.load(model)
    tensor = next(t for t in made.graph.initializer if t.name == "second.weight")
    tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    path = model.with_name("spoilt.onnx")
    onnx.save(made, path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("data") / "snapshot", "classification")


def test_a_model_decides_as_it_does(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Twelve pictures show no more than that fewer than 22% change.
    asked = ["parity", str(model), str(model), "--data", str(data), "--margin", "0.25"]
    assert main(asked) == 0
    assert "decide the same: 0.0% of 12 decisions change" in capsys.readouterr().out


def test_few_pictures_tell_nothing_and_how_many_would(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", str(model), str(model), "--data", str(data)]) == 4
    said = capsys.readouterr().out
    assert f"cannot be told with {PICTURES} pictures" in said
    assert "59 such pictures would show it" in said


def test_the_layer_is_named_and_the_page_shows_it(
    model: Path, spoilt: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ["parity", str(model), str(spoilt), "--data", str(data), "--out", str(out)]
    assert main(asked) == 4
    assert "the ONNX graph departs first at second (Conv)" in capsys.readouterr().out.replace(
        "The ONNX", "the ONNX"
    )
    found = read(out / "parity.json", Parity)
    assert found.verdict != "equivalent"
    assert found.bisection is not None
    assert found.bisection.found is not None
    assert (found.bisection.found.layer, found.bisection.found.kind) == ("second", "weights")
    page = (out / "parity.html").read_text(encoding="utf-8")
    assert "It breaks at second." in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_another_engine_and_json(
    model: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["--json", "parity", str(model), str(model), "--data", str(data)]
    assert main([*asked, "--engine", "openvino", "--margin", "0.3"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["schema"], found["other"]["engine"]) == ("parity/1", "openvino")
    assert found["counts"]["matched"] == PICTURES


def test_what_a_device_fed_its_graph_is_looked_at(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = InputSpec(width=SIDE, height=SIDE)
    for item in read_snapshot(data).items:
        fed = preprocess(load_picture(data, item), spec)[0]
        np.save(tmp_path / f"{item.id}.npy", fed[:, :, ::-1])
    asked = ["parity", str(model), str(model), "--data", str(data), "--fed", str(tmp_path)]
    assert main(asked) == 4
    assert "the colours come as BGR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--margin", "5"], 2, "--margin is 5; expected a number between 0 and 1"),
        (["--fed", "nowhere"], 3, "expected what the graph was fed"),
        (["--variant", "x"], 2, "--variant is not for a single graph"),
    ],
)
def test_bad_input_costs_one_line(
    model: Path,
    data: Path,
    options: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["parity", str(model), str(model), "--data", str(data), *options]) == code
    assert says in capsys.readouterr().err
