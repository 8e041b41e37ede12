"""From timed blocks to a figure: which blocks count, how sure their median is, when it is enough.

Pure. A block is a run of calls with the reference just before and just after. What disturbs a box
(another process, another guest of the hypervisor, a sibling hyper-thread) slows calls and reference
alike, so a block counts as *quiet* when both references took at most QUIET times the reference's
level, and the calls did not wait for the processor. How long the calls took has no say.

The figure is the median over quiet blocks of each block's median. Neighbouring blocks are alike, so
its interval comes from up to ten batches of them in the order of time (as in Schmeiser's batch
means, 1982), by order statistics of the batches' medians, which hold for any distribution
(David and Nagaraja, Order Statistics, 7.1). Who looks at every block stops when the interval is
narrow by luck: so looks are GROWTH apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge_runtime.bench.messages import Block

QUIET = 1.1  # times the reference's level, and of wall time over processor time
LEVEL_PERCENT = 2.0  # of the references lie below their level: one lucky one does not set it
BATCHES = 10
ENOUGH_BLOCKS = 40  # quiet ones, before a figure can settle
GROWTH = 1.25  # in blocks, from one look to the next
FEWEST_BLOCKS = 6  # below, no interval holds with 95%
CONFIDENCE = 0.95
HALF_WIDTH = 0.02  # of the median, to each side

Floats = npt.NDArray[np.float64]


@dataclass
class Trace:
    """What has been timed so far; nanoseconds by the clock that the figure is by."""

    by_wall: bool
    calls: list[Floats] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    references: list[tuple[int, int]] = field(default_factory=list)
    waited: list[bool] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """One more block."""
        taken = np.asarray(block.wall if self.by_wall else block.processor, np.float64)
        self.calls.append(taken)
        self.medians.append(float(np.median(taken)))
        which = 0 if self.by_wall else 1
        self.references.append((block.before[which], block.after[which]))
        # By the wall the reference, on as many threads, tells that too.
        waits = sum(block.wall) > QUIET * sum(block.processor)
        self.waited.append(waits and not self.by_wall)


@dataclass(frozen=True)
class Verdict:
    """What a trace says. Nanoseconds; `chosen` are the blocks that `median` is of.

    `level` is the reference's, `noise` how much longer than that it took in the median.
    """

    chosen: tuple[int, ...]
    median: float
    interval: tuple[float, float] | None
    quiet: int
    level: float
    noise: float
    settled: bool
    reason: str


def level_of(traces: Sequence[Trace], known: float | None) -> float:
    """The reference's lowest level in all `traces`, or the `known` one of this box if lower."""
    seen = [taken for trace in traces for pair in trace.references for taken in pair]
    if not seen:
        return known or math.inf
    return min(float(np.percentile(seen, LEVEL_PERCENT)), known or math.inf)


def judge(trace: Trace, level: float) -> Verdict:
    """What `trace` says, the reference's undisturbed level being `level`."""
    worst = np.max(np.asarray(trace.references, np.float64), axis=1)
    quiet = np.flatnonzero((worst <= QUIET * level) & ~np.asarray(trace.waited))
    chosen = quiet
    if len(quiet) < FEWEST_BLOCKS:  # the nearest to quiet that there is
        chosen = np.sort(np.argsort(worst, kind="stable")[:FEWEST_BLOCKS])
    medians = np.asarray(trace.medians)[chosen]
    median = float(np.median(medians))
    found = interval(medians)
    half = (found[1] - found[0]) / 2 / median if found and median else math.inf
    reason = ""
    if len(quiet) < ENOUGH_BLOCKS:
        reason = _too_few(len(quiet), trace, level)
    elif half > HALF_WIDTH:
        reason = f"the interval is still {half:.1%} wide to each side; {HALF_WIDTH:.0%} is enough"
    return Verdict(
        chosen=tuple(chosen.tolist()),
        median=median,
        interval=found,
        quiet=len(quiet),
        level=level,
        noise=max(0.0, float(np.median(trace.references)) / level - 1),
        settled=not reason,
        reason=reason,
    )


def interval(values: Floats) -> tuple[float, float] | None:
    """A 95% confidence interval of the median of blocks in the order of time; None for too few."""
    if len(values) < FEWEST_BLOCKS:
        return None
    batches = np.array_split(values, min(BATCHES, len(values)))
    medians = np.sort([float(np.median(batch)) for batch in batches])
    rank = _rank(len(medians))
    return float(medians[rank - 1]), float(medians[-rank])


def _rank(count: int) -> int:
    """The largest k such that the k-th lowest and k-th highest of `count` hold the median."""
    tail, rank = 0.0, 0
    while 2 * (tail + math.comb(count, rank) / 2**count) <= 1 - CONFIDENCE:
        tail += math.comb(count, rank) / 2**count
        rank += 1
    return rank


def _too_few(quiet: int, trace: Trace, level: float) -> str:
    blocks = len(trace.medians)
    if blocks < ENOUGH_BLOCKS:
        return f"{blocks} blocks of calls; {ENOUGH_BLOCKS} are needed: give it more seconds"
    slow = float(np.median(trace.references)) / level - 1
    return (
        f"the box is busy: quiet in {quiet} of {blocks} blocks, the reference {slow:.0%} above its "
        "level in the median; stop what else runs, or give it more seconds"
    )
