"""Which candidate is trained next, and how far: rungs of epochs, of which the best climb on. Pure.

Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter
Tuning", algorithm 2): whoever is among the best third of those that reached a rung goes on to the
next, as soon as that is so; else somebody new begins. Each candidate trains with the schedule of
the whole run and waits at its rung, so that going on costs what is left of the run and nothing is
done twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from edgefactory.training.tuning.space import Values

ETA: Final = 3  # of so many at a rung, one goes on
LIVES: Final = 3  # of a candidate with whom the process is ended from outside
LOWEST_STEPS: Final = 100  # of the optimizer; below, most networks have learned nothing

State = Literal["waiting", "complete", "failed", "cut"]

Seconds = Annotated[float, Meta(ge=0.0)]


class Begun(Struct, frozen=True, forbid_unknown_fields=True, tag="begun"):
    """A candidate begins to train, or goes on; a line of the journal."""

    number: Annotated[int, Meta(ge=0)]
    values: Values


class Climb(Struct, frozen=True, forbid_unknown_fields=True, tag="climb"):
    """What became of a candidate at a rung; a line of the journal.

    `value` is the metric on val after `epochs` epochs; `seconds` were spent on it since the rung
    below, `epoch_seconds` of them on each epoch. A candidate that failed says `why`; one that was
    cut ran out of time, and its `epochs` and `value` are of what is kept of it, if anything is.
    """

    number: Annotated[int, Meta(ge=0)]
    values: Values
    state: State
    epochs: Annotated[int, Meta(ge=0)]
    value: float | None
    seconds: Seconds
    epoch_seconds: Seconds = 0.0
    why: str = ""


def rungs_of(epochs: int, steps: int) -> tuple[int, ...]:
    """The epochs of each rung of a run of `epochs` epochs and `steps` steps, the last the whole.

    Each rung has a third of the one above, and steps enough to tell networks apart.
    """
    found = [epochs]
    while found[0] // ETA >= 1 and steps * (found[0] // ETA) // epochs >= LOWEST_STEPS:
        found.insert(0, found[0] // ETA)
    if len(found) == 1 and epochs >= ETA:
        found.insert(0, -(-epochs // ETA))
    return tuple(found)


def lost(entries: Iterable[object]) -> list[Climb]:
    """Failures of those who began LIVES times in a row and were never heard of again.

    Whatever ended the process with them (want of memory, above all) would end it once more.
    """
    begun: dict[int, list[Begun]] = {}
    for entry in entries:
        if isinstance(entry, Begun):
            begun.setdefault(entry.number, []).append(entry)
        elif isinstance(entry, Climb):
            begun.pop(entry.number, None)
    why = f"the process was ended {LIVES} times while it was trained (out of memory?)"
    return [
        Climb(number, calls[-1].values, "failed", 0, None, 0.0, why=why)
        for number, calls in begun.items()
        if len(calls) >= LIVES
    ]


def latest(climbs: Iterable[Climb]) -> dict[int, Climb]:
    """How far each candidate has come, by number."""
    return {climb.number: climb for climb in climbs}


def promoted(
    climbs: Sequence[Climb], rungs: Sequence[int], favoured: Iterable[int] = ()
) -> int | None:
    """The candidate that should go on to its next rung, the furthest one first; None for nobody.

    `favoured` ones go on whatever the others do.
    """
    stands = latest(climbs)
    for number in favoured:
        if number in stands and stands[number].state == "waiting":
            return number
    for rung in reversed(rungs[:-1]):
        reached = sorted((c for c in climbs if c.epochs == rung and c.value is not None), key=_rank)
        for climb in reached[: len(reached) // ETA]:
            stand = stands[climb.number]
            if stand.state == "waiting" and stand.epochs == rung:
                return climb.number
    return None


def best_of(climbs: Iterable[Climb], state: State = "complete") -> list[Climb]:
    """The candidates in that state, the best value first; of equals the one that came first."""
    return sorted((c for c in latest(climbs).values() if c.state == state), key=_rank)


def _rank(climb: Climb) -> tuple[float, int]:
    return (-(climb.value or 0.0), climb.number)
