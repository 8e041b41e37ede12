"""`evaluation/1` lives for years: the golden document must keep parsing, and mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.contract import decode, encode, read
from edge_runtime.errors import ContractError
from edgefactory.training.evaluation import Evaluation, Measure, Slice

GOLDEN = Path(__file__).parent / "fixtures" / "evaluation-1.json"


def test_the_golden_document_parses_and_is_written_the_same() -> None:
    assert encode(read(GOLDEN, Evaluation)) == GOLDEN.read_bytes()


def test_the_golden_document_means_what_it_meant() -> None:
    found = read(GOLDEN, Evaluation)
    assert (found.model.name, found.model.variant, found.model.precision) == (
        "toy 1.0.0",
        "onnx-int8",
        "f32",
    )
    assert found.overall()["recall"] == found.slices[0].figures["recall"]
    assert found.point is not None
    assert (found.point.score_threshold, found.point.chosen_on) == (0.4, "val")
    small = next(part for part in found.slices if part.name == "small")
    assert small.figures == {}
    assert "are needed for a figure" in small.why
    assert found.mistakes[-1].other == "c" * 64


def test_what_is_not_said_is_left_out() -> None:
    assert b'"interval"' not in encode(Measure(3, why="too few"))
    assert b'"figures"' not in encode(Slice("size", "large", 1, why="too few"))


def test_an_unknown_key_is_refused_and_named() -> None:
    data = GOLDEN.read_bytes().replace(b"{", b'{"surprise": 1,', 1)
    with pytest.raises(ContractError, match="surprise"):
        decode(data, Evaluation, "evaluation.json")
