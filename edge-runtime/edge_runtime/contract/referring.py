"""The reference that a release carries, of the figures of the pictures it was proven on."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge_runtime.contract.reference import MAX_BINS, Edges, Reference, Said, Saw
from edge_runtime.contract.sketching import INPUTS, sketch_of
from edge_runtime.contract.together import ranks_of, together_of

Figures = Mapping[str, float]


def reference_of(
    saw: Sequence[Figures], said: Mapping[str, Sequence[Figures]], classes: int
) -> Reference:
    """The reference of pictures in the order of their time: what `inputs_of` told of each, and
    `decisions_of` of each by variant."""
    inputs = Saw(**{name: sketch_of([one[name] for one in saw]) for name in INPUTS})
    variants = {name: _said(inputs, saw, found, classes) for name, found in sorted(said.items())}
    return Reference(schema="reference/1", saw=inputs, said=variants)


def _said(inputs: Saw, saw: Sequence[Figures], found: Sequence[Figures], classes: int) -> Said:
    score = sketch_of([one["score"] for one in found])
    decisions = sketch_of([one["decisions"] for one in found])
    leading = sketch_of([one["leading"] for one in found], _between(classes))
    sketches = (*(getattr(inputs, name) for name in INPUTS), score, decisions, leading)
    ranks = [ranks_of({**one, **other}, sketches) for one, other in zip(saw, found, strict=True)]
    return Said(score, decisions, leading, together_of(np.asarray(ranks)))


def _between(classes: int) -> Edges:
    """Edges between class numbers from −1 on; the last bin has all that there is no room for."""
    return tuple(number - 0.5 for number in range(min(classes, MAX_BINS - 1)))
