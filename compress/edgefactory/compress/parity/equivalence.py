"""Whether a difference is shown to be small: equivalence tests over pictures. Pure.

That no difference was seen proves nothing; so the burden is turned round, as bioequivalence does
it (Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach",
J. Pharmacokinet. Biopharm. 15): equivalent is what the 90% interval shows to lie within the margin
(two one-sided tests at 5% each), not equivalent what it shows to lie outside; else nobody can tell.

- The *share of changed decisions* is never below 0, so only its upper side is tested. Decisions of
  one picture are no independent draws: the interval is Clopper and Pearson's for as many draws as
  the pictures are worth (Korn and Graubard 1998, "Confidence intervals for proportions with small
  expected number of positive counts estimated from survey data", Survey Methodology 24), with the
  variance of a ratio over pictures. Where nothing changed at all, each picture counts as one draw.
- The *moved score* is the mean over pictures of what the matched decisions' scores moved by, in
  pairs, with Student's interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from edgefactory.compress.parity.document import Tested, Verdict
from edgefactory.compress.parity.pairing import Paired

TAIL: Final = 0.05  # of each one-sided test
_MOST_PICTURES: Final = 1_000_000


def share_test(pairs: Sequence[Paired], margin: float) -> Tested:
    """The share of changed decisions, 0..1, against the margin."""
    share, draws = _worth(pairs)
    lo, hi = _clopper_pearson(share, draws)
    return Tested(share, (lo, hi), margin, _verdict(lo, hi, margin))


def agreement(pairs: Sequence[Paired]) -> tuple[float, tuple[float, float]]:
    """The share of decisions that are the same, and its 95% interval, by the same method."""
    share, draws = _worth(pairs)
    lo, hi = _clopper_pearson(share, draws, TAIL / 2)
    return 1 - share, (1 - hi, 1 - lo)


def moves_test(pairs: Sequence[Paired], margin: float) -> Tested | None:
    """The mean moved score, -1..1, against +-margin; None with fewer than two pictures to ask."""
    moves = [float(np.mean(pair.moves)) for pair in pairs if pair.moves]
    if len(moves) < 2:
        return None
    mean, error = float(np.mean(moves)), float(stats.sem(moves))
    reach = float(stats.t.ppf(1 - TAIL, len(moves) - 1)) * error
    lo, hi = mean - reach, mean + reach
    if -margin < lo and hi < margin:
        verdict: Verdict = "equivalent"
    elif hi <= -margin or lo >= margin:
        verdict = "not-equivalent"
    else:
        verdict = "cannot-tell"
    return Tested(mean, (lo, hi), margin, verdict)


def together(tests: Sequence[Tested | None]) -> Verdict:
    """The verdict of all tests: equivalent by every one, or not by any."""
    verdicts = {test.verdict for test in tests if test is not None}
    if "not-equivalent" in verdicts:
        return "not-equivalent"
    return "equivalent" if verdicts == {"equivalent"} else "cannot-tell"


def pictures_needed(pairs: Sequence[Paired], margin: float) -> int | None:
    """With how many such pictures the share seen would be shown to be within the margin; None
    where the share itself is not."""
    share, draws = _worth(pairs)
    if share >= margin or draws <= 0:
        return None
    pictures = len(pairs)
    while pictures < _MOST_PICTURES:
        if _clopper_pearson(share, draws * pictures / len(pairs))[1] < margin:
            return pictures
        pictures += max(1, pictures // 50)
    return None


def _verdict(lo: float, hi: float, margin: float) -> Verdict:
    if hi < margin:
        return "equivalent"
    return "not-equivalent" if lo >= margin else "cannot-tell"


def _worth(pairs: Sequence[Paired]) -> tuple[float, float]:
    """The share of changed decisions, and how many independent draws its variance is worth."""
    asked = [pair for pair in pairs if pair.decisions]
    if not asked:
        return 0.0, float(len(pairs))
    changed = np.asarray([pair.changed for pair in asked], np.float64)
    decisions = np.asarray([pair.decisions for pair in asked], np.float64)
    share = float(changed.sum() / decisions.sum())
    pictures = len(asked)
    spread = changed - share * decisions
    if pictures < 2 or share in (0.0, 1.0):
        return share, float(pictures)
    variance = pictures / (pictures - 1) * float((spread**2).sum()) / float(decisions.sum()) ** 2
    draws = share * (1 - share) / variance if variance > 0 else float(pictures)
    return share, float(min(draws, decisions.sum()))


def _clopper_pearson(share: float, draws: float, tail: float = TAIL) -> tuple[float, float]:
    if draws <= 0:
        return 0.0, 1.0
    hits = share * draws
    lo = float(stats.beta.ppf(tail, hits, draws - hits + 1)) if hits > 0 else 0.0
    hi = float(stats.beta.ppf(1 - tail, hits + 1, draws - hits)) if hits < draws else 1.0
    return lo, hi
