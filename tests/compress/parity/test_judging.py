"""Two models on a snapshot: counts, the operating point, the metric, and where they part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import InputSpec, OperatingPoint, Outputs, Placement
from edgefactory.compress import Opening, open_model
from edgefactory.compress.answers import Answer
from edgefactory.compress.parity import (
    Form,
    ParitySettings,
    contract_pipeline,
    other_pipeline,
    parity,
    reference_pipeline,
)
from edgefactory.compress.parity.chains import PipelineModel
from edgefactory.datasets.errors import InputError

from .conftest import SIDE, classifier

pytestmark = pytest.mark.component


def silent(_done: int, _total: int, _what: str) -> None:
    """Nobody looks."""


@pytest.fixture
def colours_file(tmp_path: Path) -> Path:
    path = tmp_path / "colours.onnx"
    path.write_bytes(classifier())
    return path


def test_labels_give_the_difference_of_the_metric(colours_file: Path, named: Path) -> None:
    model = open_model(str(colours_file), Opening())
    found = parity(ParitySettings(draws=50), (model, model), named, None, silent)
    assert found.metric is not None
    assert (found.metric.name, found.metric.difference, found.metric.pictures) == ("accuracy", 0, 4)
    assert found.bisection is not None
    assert found.bisection.why == "nothing changed, so there is nothing to look for"


def test_a_part_of_the_snapshot_can_be_asked(colours_file: Path, named: Path) -> None:
    model = open_model(str(colours_file), Opening())
    found = parity(ParitySettings(split="val"), (model, model), named, None, silent)
    assert (found.counts.pictures, found.metric) == (2, None)


def test_an_export_that_decides_otherwise_is_named(colours_file: Path, named: Path) -> None:
    """The reference decides with other weights than those of its own ONNX graph."""
    model = open_model(str(colours_file), Opening())
    good = reference_pipeline(colours_file)

    def backwards(outputs: Outputs, place: Placement) -> Answer:
        return np.asarray(good.read(outputs, place))[::-1]

    reference = PipelineModel(model.about, replace(good, read=backwards))
    other = other_pipeline(colours_file, Opening(), ())
    found = parity(ParitySettings(), (reference, model), named, lambda: (good, other), silent)
    assert found.bisection is not None
    assert found.bisection.found is not None
    assert "the reference's own ONNX graph" in found.bisection.found.says


def test_the_models_own_operating_point_counts(boxes_file: Path, snapshot: Path) -> None:
    model = open_model(str(boxes_file), Opening())
    pointed = PipelineModel(
        model.about, reference_pipeline(boxes_file), OperatingPoint(0.77, "by hand")
    )
    found = parity(ParitySettings(draws=50), (pointed, model), snapshot, None, silent)
    assert found.score_threshold == 0.77
    set_ = parity(ParitySettings(score=0.6, draws=50), (pointed, model), snapshot, None, silent)
    assert set_.score_threshold == 0.6
    assert set_.counts.reference >= found.counts.reference


def test_other_classes_are_refused(colours_file: Path, named: Path) -> None:
    model = open_model(str(colours_file), Opening())
    about = msgspec.structs.replace(model.about, classes=("b", "a", "c", "d"))
    other = PipelineModel(about, reference_pipeline(colours_file))
    with pytest.raises(InputError, match="the same classes in one order"):
        parity(ParitySettings(), (model, other), named, None, silent)


def test_forms_before_a_file_are_taken_in(colours_file: Path) -> None:
    made = other_pipeline(colours_file, Opening(engine="openvino"), (colours_file,))
    assert [form.stage for form in made.forms] == ["onnx", "onnx", "openvino"]


def test_without_a_float_graph_there_is_nothing_to_look_into(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be looked into"):
        reference_pipeline(tmp_path)


def test_the_contracts_pipeline_feeds_by_its_specification() -> None:
    content = {"m.onnx": classifier()}
    form = Form("onnx", "m", content, "m.onnx", "onnxruntime")
    made = contract_pipeline("classification", InputSpec(width=SIDE, height=SIDE), (form,))
    assert made.forms[-1].content == content["m.onnx"]
