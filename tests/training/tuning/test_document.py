"""`tune/1` lives for years: the golden document must keep parsing, and mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.contract import decode, encode, read
from edge_runtime.errors import ContractError
from edgefactory.training.tuning import Tune
from edgefactory.training.tuning.space import Choice

GOLDEN = Path(__file__).parent / "fixtures" / "tune-1.json"


def test_the_golden_document_parses_and_is_written_the_same() -> None:
    assert encode(read(GOLDEN, Tune)) == GOLDEN.read_bytes()


def test_the_golden_document_means_what_it_meant() -> None:
    found = read(GOLDEN, Tune)
    assert [str(budget) for budget in found.budgets] == [
        "latency_ms<=0.08@onnxruntime:f32",
        "bytes<=450000@onnxruntime:f32",
    ]
    assert found.space["batch"] == Choice((8, 16))
    assert {one.state for one in found.candidates} == {"complete", "stopped", "failed"}
    assert found.candidates[0].cost.of(found.budgets[1]) == 107798
    assert found.winner.number in found.front
    assert found.winner.longer
    assert all(check.holds for check in found.winner.checks)
    assert found.winner.files[0].figures["test"]["accuracy"].value is not None
    assert found.dropped[0].breaks == (found.budgets[0],)
    assert found.dropped[-1].as_large_as == found.dropped[0].name
    assert found.larger[0].limit > found.budgets[0].limit


def test_an_unknown_key_is_refused_and_named() -> None:
    data = GOLDEN.read_bytes().replace(b"{", b'{"surprise": 1,', 1)
    with pytest.raises(ContractError, match="surprise"):
        decode(data, Tune, "tune.json")
