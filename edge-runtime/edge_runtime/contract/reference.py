"""What a model saw and said where it was proven: bounded sketches that a site compares itself with.

A part of the release. The one implementation of the figures is `contract.sketching`.
"""

import math
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_BINS = 64
PAIRS = 21  # of the seven figures

Count = Annotated[int, Meta(ge=0)]
Edges = Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_BINS - 1)]
Counts = Annotated[tuple[Count, ...], Meta(min_length=2, max_length=MAX_BINS)]
NotBelow0 = Annotated[float, Meta(ge=0.0)]


class Sketch(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a figure fell between `edges` (ascending): one more `counts` than edges; what
    equals an edge lies above it. `independent` is how many independent pictures these are worth,
    fewer than they are where neighbours are alike."""

    edges: Edges
    counts: Counts
    independent: Annotated[float, Meta(gt=0.0)]

    def __post_init__(self) -> None:
        """Raises ValueError for edges that do not rise, or counts that do not fit them."""
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges, {len(self.counts)} counts")
        rising = all(a < b for a, b in zip(self.edges, self.edges[1:], strict=False))
        if not rising or not all(map(math.isfinite, (*self.edges, self.independent))):
            raise ValueError("expected finite edges that rise")
        if not 0 < self.independent <= sum(self.counts):
            raise ValueError(f"{sum(self.counts)} pictures are not worth {self.independent:g}")


class Saw(Struct, frozen=True, forbid_unknown_fields=True):
    """Of the model's inputs: mean and spread of the grey level, colourfulness, sharpness."""

    brightness: Sketch
    contrast: Sketch
    colour: Sketch
    sharpness: Sketch


class Together(Struct, frozen=True, forbid_unknown_fields=True):
    """How the seven figures go together: the mean product of each pair's ranks (`means`, by pair in
    the order of `contract.together.FIGURES`), and by how much that varies from picture to picture:
    `trace` of its covariance, `spread` √(2 tr C²), `degrees` (tr C²)³ / (tr C³)²."""

    means: Annotated[tuple[float, ...], Meta(min_length=PAIRS, max_length=PAIRS)]
    trace: NotBelow0
    spread: NotBelow0
    degrees: Annotated[float, Meta(gt=0.0)]
    independent: Annotated[float, Meta(gt=0.0)]

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that are none."""
        numbers = (*self.means, self.trace, self.spread, self.degrees, self.independent)
        if not all(map(math.isfinite, numbers)):
            raise ValueError("expected finite numbers")


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one variant's decisions, by picture: the best score, how many decisions count, and which
    class leads: that of the best score, −1 where none counts. `together` says how these and the
    inputs' figures go together; UNSET in references of before it was there."""

    score: Sketch
    decisions: Sketch
    leading: Sketch
    together: Together | UnsetType = UNSET


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """Inputs and decisions on the pictures that the evidence was measured on; `said` by variant."""

    schema: Literal["reference/1"]
    saw: Saw
    said: dict[str, Said]
