"""Does a release on trial decide about live pictures as what runs does? A sequential test.

Each picture is a bet. Let p be the probability that the two disagree on it, whatever came before.
The capital of who bets on p = `refuse` against p = `accept` is the likelihood ratio, Wald's
("Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16, 1945). While p ≤ `accept` it
is a supermartingale, so that it ever reaches 1/`error` has at most the probability `error` (Ville's
inequality); while p ≥ `refuse` the same holds for its inverse. Neither needs independent pictures,
which those of a camera are not, nor a number of pictures chosen beforehand. Two things are outside
the bound: whoever is undecided after `most` pictures, or when the time is up, is judged by which
side the capital stands on; and too few pictures decide nothing, so the golden self-test stands
alone.
"""

import math
from dataclasses import dataclass
from typing import Literal

from edge_runtime.contract import Decisions, Outputs, Release, decide
from edge_runtime.contract.decisions import iou_matrix
from edge_runtime.daemon.settings import ShadowSettings


@dataclass(frozen=True)
class Tally:
    """Pictures that both decided about, those on which they `disagreed`, the `first` difference,
    and what the trial was `broken` by (an error, outputs against the contract), if it was."""

    pictures: int = 0
    disagreed: int = 0
    first: str = ""
    broken: str = ""


@dataclass(frozen=True)
class Verdict:
    """What comes next, and why, in a line."""

    step: Literal["go", "back"]
    why: str


def judge(tally: Tally, waited: float, limits: ShadowSettings) -> Verdict | None:
    """The verdict on a trial that was shadowed for `waited` seconds; None: not yet."""
    if tally.broken:
        return Verdict("back", f"on live pictures: {tally.broken}")
    n, late = tally.pictures, waited >= limits.wait_s
    found = f"{tally.disagreed} of {n} live pictures decided otherwise"
    if n < limits.least:
        text = f"golden self-test alone: {n} live pictures in {waited:.0f} s ({found})"
        return Verdict("go", text) if late else None
    capital, bound = log_capital(tally, limits), -math.log(limits.error)
    ended = n >= limits.most or late
    if abs(capital) < bound and not ended:
        return None
    when = "" if abs(capital) >= bound else " when the test ended"
    if capital > 0:
        return Verdict("back", f"{found}{when}, first: {tally.first}")
    return Verdict("go", f"shadowed: {found}{when}")


def log_capital(tally: Tally, limits: ShadowSettings) -> float:
    """The logarithm of the likelihood of `refuse` over that of `accept`."""
    agreed = tally.pictures - tally.disagreed
    return tally.disagreed * math.log(limits.refuse / limits.accept) + agreed * math.log(
        (1 - limits.refuse) / (1 - limits.accept)
    )


def incomparable(live: Release, trial: Release) -> str:
    """Why the two cannot be held beside each other on the same batch; "" when they can."""
    if trial.task == "embedding":
        return "embeddings of two models have no common scale"
    if live.task != trial.task:
        return f"{live.version} is for {live.task}, {trial.version} for {trial.task}"
    if live.input != trial.input:
        return f"{trial.version} takes other pictures than {live.version}"
    return ""


def difference(
    releases: tuple[Release, Release],
    outputs: tuple[Outputs, Outputs],
    index: int,
    limits: ShadowSettings,
) -> str | None:
    """The first way in which they decide otherwise about picture `index`, None if they agree.

    Each decides at its own threshold; what is within `score` of that (at most half way to 0 or 1)
    may be missing in the other, and labels that the other does not know are left out. Raises
    ContractError when outputs break the graph contract.
    """
    found = []
    for release, output in zip(releases, outputs, strict=True):
        found.append(decide(release.task, output, index, _band(release, limits)[0]))
    if releases[0].task == "classification":
        return _other_class(releases, found, limits)
    for a, b, who in ((0, 1, "missing in"), (1, 0, "new in")):
        lost = _unmatched(releases[a], found[a], releases[b], found[b], limits)
        if lost is not None:
            return f"a decision of score {lost:.2f} is {who} {releases[1].version}"
    return None


def _band(release: Release, limits: ShadowSettings) -> tuple[float, float]:
    """Between which scores a decision of `release` is neither clearly made nor clearly not."""
    threshold = release.operating_point.score_threshold
    low = max(threshold - limits.score, threshold / 2)
    return low, min(threshold + limits.score, (1 + threshold) / 2)


def _other_class(
    releases: tuple[Release, Release], found: list[Decisions], limits: ShadowSettings
) -> str | None:
    names = [r.labels[d.labels[0]] for r, d in zip(releases, found, strict=True)]
    clear = any(d.scores[0] >= _band(r, limits)[1] for r, d in zip(releases, found, strict=True))
    return f"{names[1]} instead of {names[0]}" if names[0] != names[1] and clear else None


def _unmatched(
    release: Release, mine: Decisions, other: Release, theirs: Decisions, limits: ShadowSettings
) -> float | None:
    """The score of the first clear decision of `mine` that nothing in `theirs` stands for."""
    import numpy as np

    overlap = iou_matrix(
        np.asarray(mine.boxes, np.float32).reshape(-1, 4),
        np.asarray(theirs.boxes, np.float32).reshape(-1, 4),
    )
    clear = _band(release, limits)[1]
    for i, (label, score) in enumerate(zip(mine.labels, mine.scores, strict=True)):
        name = release.labels[label]
        if score < clear or name not in other.labels:
            continue
        if not any(
            other.labels[theirs.labels[j]] == name and overlap[i, j] >= limits.iou
            for j in range(len(theirs.labels))
        ):
            return score
    return None
