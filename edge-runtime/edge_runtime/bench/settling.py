"""From timed blocks to a figure: which blocks count, how sure their median is, when it is enough.

Pure. A block is a run of calls with the reference just before and just after. What changes how fast
a box is (its clock, another process, another guest of the hypervisor, a sibling hyper-thread) slows
calls and reference alike. So the calls of a block are scaled by how long the reference took beside
them, to the *level* that it has on this box when nothing disturbs. And a block is *quiet*, and
counts, when both references took at most QUIET times the level, and at least half of the calls did
not wait for the processor. Those that did are left out. How long calls took has no say in that.

The figure is the median over quiet blocks of each block's scaled median. Neighbouring blocks are
alike, so its interval comes from up to ten batches of them in the order of time (as in Schmeiser's
batch means, 1982), by order statistics of the batches' medians, which hold for any distribution
(David and Nagaraja, Order Statistics, 7.1). Who looks at every block stops when the interval is
narrow by luck: so looks are GROWTH apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge_runtime.bench.messages import Block

# Times the reference's level. The processor's own clock moves the reference by a tenth to either
# side (0.232 to 0.273 ms were seen on one box), a busy sibling hyper-thread by a third at least.
QUIET = 1.15
WAITED = 1.1  # wall time over processor time of a call that waited for the processor
LOW_PERCENT = 2.0  # of the references are lower than what a box at rest is told by
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
        wall, processor = (np.asarray(t, np.float64) for t in (block.wall, block.processor))
        # A call that waited came back to caches that others had filled. By the wall, the reference,
        # on as many threads, tells of waiting.
        ours = (wall <= WAITED * processor) | self.by_wall
        self.waited.append(bool(2 * ours.sum() < len(ours)))
        taken = wall if self.by_wall else processor[ours | self.waited[-1]]
        self.calls.append(taken)
        self.medians.append(float(np.median(taken)))
        which = 0 if self.by_wall else 1
        self.references.append((block.before[which], block.after[which]))


@dataclass(frozen=True)
class Verdict:
    """What a trace says, in nanoseconds scaled to the reference's `level`.

    `calls` are those of the blocks that count, `quiet` is how many blocks are. `reference` is the
    reference's own median around the blocks that count, `noise` how much longer than its level it
    took in the median of all.
    """

    calls: Floats
    median: float
    interval: tuple[float, float] | None
    quiet: int
    level: float
    reference: float
    noise: float
    settled: bool
    reason: str


def level_of(traces: Sequence[Trace], known: float | None) -> float:
    """What the reference takes when nothing disturbs: what is `known` of this box, else its median
    in `traces` when it was low; that also where the box was only known to be much slower."""
    seen = np.asarray([taken for trace in traces for pair in trace.references for taken in pair])
    if not len(seen):
        return known or math.inf
    own = float(np.median(seen[seen <= QUIET * np.percentile(seen, LOW_PERCENT)]))
    return own if known is None or own * QUIET < known else known


def judge(trace: Trace, level: float) -> Verdict:
    """What `trace` says, the reference's undisturbed level being `level`."""
    references = np.asarray(trace.references, np.float64)
    ours = ~np.asarray(trace.waited)
    quiet = ours & (references.max(axis=1) <= QUIET * level)
    # Without quiet blocks, scaling alone must do: it comes near.
    counts = quiet if quiet.sum() >= FEWEST_BLOCKS else ours if ours.any() else ~ours
    scales = level / references.mean(axis=1)
    medians = (np.asarray(trace.medians) * scales)[counts]
    median, found = float(np.median(medians)), interval(medians)
    half = (found[1] - found[0]) / 2 / median if found and median else math.inf
    noise = max(0.0, float(np.median(references)) / level - 1)
    reason = ""
    if quiet.sum() < ENOUGH_BLOCKS:
        reason = _too_few(int(quiet.sum()), len(quiet), noise)
    elif half > HALF_WIDTH:
        reason = f"the interval is still {half:.1%} wide to each side; {HALF_WIDTH:.0%} is enough"
    return Verdict(
        calls=np.concatenate([trace.calls[n] * scales[n] for n in np.flatnonzero(counts)]),
        median=median,
        interval=found,
        quiet=int(quiet.sum()),
        level=level,
        reference=float(np.median(references[counts])),
        noise=noise,
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


def _too_few(quiet: int, blocks: int, noise: float) -> str:
    if blocks < ENOUGH_BLOCKS:
        return f"{blocks} blocks of calls; {ENOUGH_BLOCKS} are needed: give it more seconds"
    return (
        f"the box is busy: quiet in {quiet} of {blocks} blocks, the reference {noise:.0%} above "
        "its level in the median; stop what else runs, or give it more seconds"
    )
