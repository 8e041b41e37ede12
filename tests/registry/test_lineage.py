"""What training writes about a checkpoint, the registry reads: neither knows a key of its own."""

from __future__ import annotations

from msgspec.structs import fields

from edgefactory.registry.lineage import CheckpointLineage
from edgefactory.training.checkpoint import TrainingLineage


def test_both_know_the_same_keys() -> None:
    assert [f.name for f in fields(CheckpointLineage)] == [f.name for f in fields(TrainingLineage)]
