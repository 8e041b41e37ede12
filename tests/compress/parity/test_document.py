"""`parity/1` lives for years: the golden document must keep parsing, and mean the same."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.contract import encode, read
from edgefactory.compress.parity import Parity

GOLDEN = Path(__file__).parent / "fixtures" / "parity-1.json"


def test_the_golden_document_parses_and_is_written_the_same() -> None:
    assert encode(read(GOLDEN, Parity)) == GOLDEN.read_bytes()


def test_the_golden_document_means_what_it_meant() -> None:
    found = read(GOLDEN, Parity)
    assert (found.task, found.verdict, found.counts.pictures) == (
        "classification",
        "cannot-tell",
        12,
    )
    assert found.changed.margin == 0.05
    assert found.bisection is not None
    assert found.bisection.found is not None
    assert found.bisection.found.fault
    assert (found.bisection.found.stage, found.bisection.found.layer) == ("onnx", "second")
