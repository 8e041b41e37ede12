"""The search for the least float that keeps the margins, in about log2(n) validations.

What was validated is kept in a journal, so a search that was killed goes on where it was, with the
same result. Validated is always what is returned; that more float is never worse is what makes
the search short, not what makes its result right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct

from edgefactory.compress.mixed.bisection import all_int8_failed, next_mixture
from edgefactory.compress.mixed.constraints import Drop, worst
from edgefactory.compress.mixed.sensitivity import LayerNoise
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import GateError, InputError
from edgefactory.datasets.journal import Journal, journal_path

M = TypeVar("M")


class Validated(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the journal: the layers in float, and what is lost with them."""

    float_layers: tuple[str, ...]
    drops: tuple[Drop, ...]

    @property
    def excess(self) -> float:
        """The largest loss in margins; every margin is kept where it is at most 1."""
        return worst(self.drops).excess


@dataclass(frozen=True)
class Found(Generic[M]):
    """The chosen model, what it loses with which layers in float, and all that was validated."""

    model: M
    chosen: Validated
    tried: tuple[Validated, ...]


@dataclass(frozen=True)
class Keeping:
    """Where a search keeps what it validated: a folder, and all that decides its result as JSON
    values: digests of the model, of the pictures and their labels, the margins, the engine."""

    folder: Path
    inputs: object


@dataclass
class _Trials(Generic[M]):
    """Makes and judges mixtures, but for those that the journal knows; holds the last good one."""

    quantize: Callable[[tuple[str, ...]], M]
    judge: Callable[[M], tuple[Drop, ...]]
    journal: Journal[Validated] | None
    known: dict[tuple[str, ...], Validated]
    tried: list[Validated] = field(default_factory=list)
    best: tuple[Validated, M | None] | None = None

    def excess(self, layers: tuple[str, ...]) -> float:
        """That of the mixture with `layers` in float."""
        model = None
        found = self.known.get(layers)
        if found is None:
            model = self.quantize(layers)
            found = Validated(layers, self.judge(model))
            if self.journal is not None:
                self.journal.append([found])
        self.tried.append(found)
        if found.excess <= 1:
            self.best = (found, model)
        return found.excess

    def found(self) -> Found[M]:
        """The last good mixture. Raises GateError when there was none."""
        if self.best is None:
            last = max(self.tried, key=lambda entry: len(entry.float_layers))
            raise GateError(
                "no layer can be INT8 within the margins: with the fewest that were tried, "
                f"{worst(last.drops)}; widen that margin, calibrate on other pictures, or stay in "
                "float"
            )
        chosen, model = self.best
        made = model if model is not None else self.quantize(chosen.float_layers)
        return Found(made, chosen, tuple(self.tried))


def search(
    quantize: Callable[[tuple[str, ...]], M],
    judge: Callable[[M], tuple[Drop, ...]],
    rank: Callable[[], Sequence[LayerNoise]],
    progress: Progress,
    keeping: Keeping | None = None,
) -> Found[M]:
    """The model with the fewest of the noisiest layers in float that keeps all margins.

    `quantize` makes the model that leaves the named layers in float, `judge` tells what it loses.
    All layers in INT8 come first; only where that is not enough does `rank` give the layers, the
    noisiest first. For n layers, `judge` is called at most ceil(log2(n)) + 2 times. Raises
    InputError when there is no layer, GateError when no mixture with an INT8 layer is good.
    """
    journal = None
    if keeping is not None:
        journal = Journal(journal_path(keeping.folder, "mixed", keeping.inputs), Validated)
    known = {entry.float_layers: entry for entry in journal.read()} if journal else {}
    trials = _Trials(quantize, judge, journal, known)
    progress(0, 0, "validating all layers in INT8")
    excess = trials.excess(())
    if excess <= 1:
        return trials.found()
    ranking = rank()
    if not ranking:
        raise InputError("no layer is left to quantize: the model has no Conv, Gemm or MatMul")
    layers = tuple(entry.layer for entry in ranking)
    noises = [entry.noise for entry in ranking]
    bounds = all_int8_failed(len(layers), excess)
    steps = bounds.left
    while not bounds.found:
        k = next_mixture(bounds, noises)
        progress(steps - bounds.left, steps, f"validating {k} of {len(layers)} layers in float")
        bounds = bounds.after(k, trials.excess(layers[:k]))
    return trials.found()
