"""The layers of a reference graph, how near another form comes to each, and the first that parts.

Nearness is the power of the signal over that of the error, in decibels (SQNR), summed over all
values and pictures of a layer's output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgefactory.compress.graph import Graph
from edgefactory.compress.parity.document import Layer
from edgefactory.compress.parity.pipeline import Fed
from edgefactory.compress.parity.tracing import HEAVY, QUANTIZING, Trace, Values

MOST_DB: Final = 150.0
LEAST_DB: Final = -99.0


@dataclass(frozen=True)
class Place:
    """A layer of the reference: its name, its operator, what it reads and makes, and whether it
    lies before the first convolution or matrix product, or after the last."""

    name: str
    op: str
    inputs: tuple[str, ...]
    output: str
    before: bool
    after: bool


def places(graph: Graph) -> list[Place]:
    """The layers of a float graph, in running order."""
    seen: set[str] = set()  # tensors that come out of some heavy layer
    for node in graph.nodes:
        if node.op_type in HEAVY or seen & {*node.input}:
            seen |= {*node.output}
    leads: set[str] = set()  # tensors that go into one
    for node in reversed(graph.nodes):
        if node.op_type in HEAVY or leads & {*node.output}:
            leads |= {*node.input}
    return [
        Place(
            node.name or node.output[0],
            node.op_type,
            tuple(name for name in node.input if name and name not in graph.constants),
            node.output[0],
            not seen & {*node.output},
            node.op_type not in HEAVY and not leads & {*node.output},
        )
        for node in graph.nodes
        if node.op_type not in QUANTIZING
    ]


def nearness(
    reference: Trace, other: Trace, inputs: Sequence[Fed], renamed: Mapping[str, str]
) -> dict[str, float]:
    """Decibels of each tensor of the reference that the other has too, by the reference's name.

    `renamed` are the other's names where they are not the same. Another shape is `LEAST_DB`.
    """
    signal: dict[str, float] = {}
    error: dict[str, float] = {}
    for fed in inputs:
        theirs = other.run(fed)
        for name, value in reference.run(fed).items():
            found = theirs.get(renamed.get(name, name))
            if found is None or value.dtype == np.bool_ or value.size == 0:
                continue
            if found.shape != value.shape or not np.isfinite(found).all():
                signal[name], error[name] = 0.0, np.inf
                continue
            ours = value.astype(np.float64)
            signal[name] = signal.get(name, 0.0) + float((ours**2).sum())
            off = float(((found - ours) ** 2).sum())
            error[name] = error.get(name, 0.0) + off
    return {name: _decibels(signal[name], error[name]) for name in signal}


def _decibels(signal: float, error: float) -> float:
    if error == 0:
        return MOST_DB
    if signal == 0 or not np.isfinite(error):
        return LEAST_DB
    return float(np.clip(10 * np.log10(signal / error), LEAST_DB, MOST_DB))


def table(
    order: Sequence[Place], near: Mapping[str, float], normal: Mapping[str, float]
) -> tuple[Layer, ...]:
    """The layers that could be compared, in running order."""
    return tuple(
        Layer(
            place.name,
            place.op,
            round(near[place.output], 1),
            round(normal[place.output], 1) if place.output in normal else None,
        )
        for place in order
        if place.output in near
    )


def first_departure(
    order: Sequence[Place], near: Mapping[str, float], bad: Callable[[Place, float], bool]
) -> Place | None:
    """The first layer whose output is bad though all that it reads is not.

    A layer that the other form does not show (fused into the next, or left out) passes what it
    reads on; of those between, the first convolution or matrix product is named, else the first
    layer: it is there that something was left out.
    """
    hidden: dict[str, Place] = {}  # a tensor that is not shown, and who is to blame behind it
    for place in order:
        blame = _blamed(place, [hidden[name] for name in place.inputs if name in hidden])
        if place.output not in near:
            hidden[place.output] = blame
        elif bad(place, near[place.output]):
            return blame
    return None


def _blamed(place: Place, before: Sequence[Place]) -> Place:
    heavy = [one for one in (*before, place) if one.op in HEAVY]
    return heavy[0] if heavy else (*before, place)[0]


def renaming(
    order: Sequence[Place], mine: Values, theirs: Values, other: Graph | None
) -> dict[str, str]:
    """The other's names of the reference's tensors, by the order of the heavy layers, where the
    names themselves say nothing; {} where they do."""
    outputs = {place.output for place in order} & {*(other.outputs if other else ())}
    if other is None or sum(place.output in theirs for place in order) > len(outputs):
        return {}
    heavy = [place.output for place in order if place.op in HEAVY]
    named = [node.output[0] for node in other.nodes if node.op_type in HEAVY]
    if len(named) != len(heavy):
        return {}
    pairs = dict(zip(heavy, named, strict=True))
    same = all(mine[a].shape == theirs[b].shape for a, b in pairs.items() if b in theirs)
    return pairs if same else {}
