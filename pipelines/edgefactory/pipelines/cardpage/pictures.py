"""The card's pictures: golden cases with what the model decides, and training's own picture.

PNG files go in as they are: to encode them anew would make the page's bytes depend on the machine.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image

from edge_runtime.contract import Decisions
from edgefactory.datasets.errors import InputError
from edgefactory.pipelines.report.embed import data_uri, file_uri
from edgefactory.pipelines.shots import SMALL, Mark, Shot
from edgefactory.registry import Facts
from edgefactory.registry.card import Shown
from edgefactory.registry.files import read_blob

MOST: Final = 3  # golden cases that are shown
MOST_BYTES: Final = 1_500_000  # of training's picture


def golden_shots(facts: Facts, variant: str) -> list[Shot]:
    """The first golden cases, each with what `variant` decides of it."""
    return [_shot(shown, facts, variant) for shown in facts.golden[:MOST]]


def preview(path: Path | None) -> str | None:
    """Training's own picture as a data URI, unless there is none or it is too large."""
    return None if path is None else file_uri(path, "image/png", MOST_BYTES)


def _shot(shown: Shown, facts: Facts, variant: str) -> Shot:
    data = read_blob(shown.picture, shown.case.picture)
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{shown.picture} is not a picture: {error}") from error
    decided = shown.case.expected[variant]
    least = facts.point.score_threshold
    marks = [
        Mark("hit", x0, y0, x1 - x0, y1 - y0)
        for score, (x0, y0, x1, y1) in zip(decided.scores, decided.boxes, strict=False)
        if score >= least
    ]
    uri = data_uri("image/png", data)
    small = max(width, height) < SMALL
    return Shot(uri, (0, 0, width, height), tuple(marks), _says(decided, facts), small)


def _says(decided: Decisions, facts: Facts) -> str:
    least, labels = facts.point.score_threshold, facts.made.labels
    sure = [
        (labels[label], score)
        for label, score in zip(decided.labels, decided.scores, strict=True)
        if score >= least
    ]
    if decided.boxes or not sure:
        return f"{len(sure)} found"
    name, score = max(sure, key=lambda one: one[1])
    return f"{name}, {score:.2f}"
