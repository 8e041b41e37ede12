"""A finding as it is shown: one or two pictures, cut to where to look, with boxes and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgefactory.datasets import Item
from edgefactory.datasets.checks import Finding
from edgefactory.datasets.documents import Box
from edgefactory.pipelines.shots import Shot, shot


@dataclass(frozen=True)
class Card:
    """One finding: its words, its pictures, and the ids to find them by."""

    text: str
    shots: tuple[Shot, ...]
    ids: tuple[str, ...]


def card(folder: Path, finding: Finding, items: Mapping[str, Item]) -> Card:
    """The finding as a card; `items` holds its pictures by id."""
    shots = []
    for place, item_id in enumerate(finding.items):
        item = items[item_id]
        boxes = _boxes(finding, item) if place == 0 else {}
        shots.append(shot(folder, item, boxes.items()))
    return Card(finding.text, tuple(shots), finding.items)


def _boxes(finding: Finding, item: Item) -> dict[str, Box]:
    """The boxes to draw: the doubted label's, and where the teacher sees something."""
    boxes: dict[str, Box] = {}
    if finding.box is not None:
        boxes["miss"] = finding.box
    if finding.label is not None:
        labelled = item.labels[finding.label].box
        if labelled is not None:
            boxes["truth"] = labelled
            if _same(labelled, boxes.get("miss")):
                del boxes["miss"]
    return boxes


def _same(one: Box, other: Box | None) -> bool:
    # Boxes went through float32 on their way into the finding.
    return other is not None and all(abs(a - b) < 0.01 for a, b in zip(one, other, strict=True))
