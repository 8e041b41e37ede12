"""Which pictures an epoch shows, and in which order: a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edgefactory.training.targets import ClassTargets, Marks

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def epoch_order(worth: Floats, seed: int, epoch: int) -> Ints:
    """The pictures of an epoch, as many as there are.

    Alike in `worth` [n], each once; else each is drawn worth/mean(worth) times: its whole part for
    certain, and once more with the probability of the rest (systematic sampling: where the rests,
    summed up in a random order, pass whole numbers).
    """
    chance = np.random.default_rng((seed, epoch))
    times = worth / worth.mean()
    if np.allclose(times, 1.0):
        return chance.permutation(len(worth))
    whole = np.floor(times).astype(np.int64)
    left, mixed = len(worth) - int(whole.sum()), chance.permutation(len(worth))
    summed = np.minimum(np.cumsum((times - whole)[mixed]), left)
    summed[-1] = left  # which rounding may have missed
    passed = np.diff(np.floor(summed + chance.random()), prepend=0.0) > 0
    return chance.permutation(np.append(np.repeat(np.arange(len(worth)), whole), mixed[passed]))


def epoch_batches(order: Ints, batch: int) -> Iterator[Ints]:
    """The order cut into batches; the rest that fills none is left out."""
    size = min(batch, len(order))
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def batches_an_epoch(count: int, batch: int) -> int:
    """How many batches `epoch_batches` yields."""
    return count // min(batch, count)


def worth_of(targets: tuple[Marks, ...] | ClassTargets, classes: int, balance: float) -> Floats:
    """How often each picture should be seen, relative to the others, so that classes even out.

    A picture counts as its rarest class does: frequency ** -balance, where a class's frequency is
    the share of the pictures that show it (repeat factor sampling; Gupta et al. 2019, LVIS,
    section 6.1, whose exponent is 1/2). Without a label it counts as the most frequent class.
    """
    shown = _shown(targets, classes)
    frequency = np.maximum(shown.mean(axis=0), 1e-12)
    factor = (frequency / frequency.max()) ** -balance
    return np.asarray(np.where(shown, factor, 1.0).max(axis=1))


def _shown(targets: tuple[Marks, ...] | ClassTargets, classes: int) -> npt.NDArray[np.bool_]:
    """[n,C]: whether a picture teaches a class."""
    shown = np.zeros((_count(targets), classes), np.bool_)
    if isinstance(targets, ClassTargets):
        taught = targets.weights.numpy() > 0
        shown[np.flatnonzero(taught), targets.labels.numpy()[taught]] = True
        return shown
    for row, marks in enumerate(targets):
        shown[row, marks.labels[(marks.weights > 0) & ~marks.ignore]] = True
    return shown


def _count(targets: tuple[Marks, ...] | ClassTargets) -> int:
    return len(targets.labels) if isinstance(targets, ClassTargets) else len(targets)
