"""What a small learner says about samples that it has not seen: probabilities out of fold.

The learner is a logistic regression over random features of a Gaussian kernel (Nystroem: Williams
and Seeger 2001), so its cost grows linearly. Folds are made of runs of neighbouring frames: a
frame's neighbours, which look like it and would carry the same error, are mostly in its own fold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import MissingError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FOLDS: Final = 5
_RUN: Final = 8  # neighbouring samples that stay in one fold
_CENTRES: Final = 500  # of the kernel
_MOST: Final = 20_000  # samples that one learner is trained on
_CHUNK: Final = 8192


def folds(source: NDArray[np.int32]) -> Ints:
    """The fold [n] of each sample: runs of eight of a source's samples are dealt out in turn."""
    order = np.argsort(source, kind="stable")
    fold = np.empty(len(source), np.int64)
    fold[order] = np.arange(len(source)) // _RUN % FOLDS
    return fold


def out_of_fold(
    features: Floats, labels: Ints, fold: Ints, count: int, told: Callable[[int, int], None]
) -> Floats:
    """Probabilities f32 [n,count] for each sample by a learner that has not seen its fold.

    `features` [n,F], `labels` [n] in 0..count-1; a label of -1 is not learned from. A class that
    a learner has not seen gets the probability 0. `told(done, total)` is called after each fold.
    """
    probabilities = np.zeros((len(labels), count), np.float32)
    random = np.random.default_rng(0)
    for each in range(FOLDS):
        rows = np.flatnonzero((fold != each) & (labels >= 0))
        asked = np.flatnonzero(fold == each)
        if len(rows) > _MOST:
            rows = np.sort(random.choice(rows, _MOST, replace=False))
        if asked.size and rows.size:
            seen = np.unique(labels[rows])
            if len(seen) == 1:
                probabilities[asked, seen[0]] = 1.0
            else:
                _fill(probabilities, features, asked, _learner(features[rows], labels[rows]))
        told(each + 1, FOLDS)
    return probabilities


Learner = Callable[[Floats], tuple[Floats, Ints]]


def _learner(features: Floats, labels: Ints) -> Learner:
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.kernel_approximation import Nystroem
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingError("scikit-learn is not installed: pip install scikit-learn") from error
    centres = min(_CENTRES, len(features))
    gamma = 1.0 / max(_spread(features), 1e-6)
    kernel = Nystroem(gamma=gamma, n_components=centres, random_state=0)
    model = make_pipeline(kernel, LogisticRegression(C=30.0, max_iter=200))
    # The matrices are small: on a busy machine more threads wait for each other for minutes.
    with threadpool_limits(1), warnings.catch_warnings():
        # An early stop is no harm here: the order of the probabilities is what counts.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, labels)
    return lambda asked: (model.predict_proba(asked).astype(np.float32), model.classes_)


def _spread(features: Floats) -> float:
    """The mean squared distance of two samples."""
    return 2 * float(features.var(axis=0).sum())


def _fill(
    probabilities: Floats, features: Floats, asked: NDArray[np.intp], learner: Learner
) -> None:
    for start in range(0, len(asked), _CHUNK):
        rows = asked[start : start + _CHUNK]
        values, classes = learner(features[rows])
        probabilities[np.ix_(rows, classes)] = values
