"""Embeddings and whom they show become an evaluation: finding again, and telling apart. Pure.

Finding (re-identification): each picture asks for the others of its identity, ranked by cosine;
recall@1 and mAP, leave one out, over the pictures whose identity has another one. The bootstrap
draws identities with all of their questions; whom they are asked among stays as it is. Telling
apart is `verification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgefactory.datasets import Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import ratio
from edgefactory.training.evaluation.document import (
    Evaluation,
    Measure,
    Mistake,
    Slice,
    Split,
)
from edgefactory.training.evaluation.mistakes import worst
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.evaluation.slicing import groups, too_small
from edgefactory.training.evaluation.subject import Judging, Subject
from edgefactory.training.evaluation.verification import verify
from edgefactory.training.metrics import Booleans, Floats, Integers

_ROWS: Final = 512  # pictures that are compared with all others at once


@dataclass(frozen=True)
class Vectors:
    """Embeddings [n,D] of unit length of one split's pictures, and numbers of identities [n]."""

    split: Split
    items: Sequence[Item]
    vectors: Floats
    identities: Integers
    names: Sequence[str]


def evaluate_embeddings(subject: Subject, shown: Vectors) -> Evaluation:
    """Judge what was `shown`. Raises InputError when no identity has two pictures."""
    asked = _answered(shown)
    if not asked.able.any():
        raise InputError(
            f"the split {shown.split} of {subject.data.name} shows no class twice in "
            f"{len(shown.items)} pictures; an embedding is judged by finding a picture's like"
        )
    judging = subject.judging
    verified, curve = verify(shown.vectors, shown.identities, judging)
    whole = _finding(shown, asked, np.arange(len(shown.items)), judging)
    slices = [Slice("all", "all", len(shown.items), {**whole, **verified})]
    grouped = groups(shown.items, judging.zone)
    for group in grouped.found:
        able = int(asked.able[group.pictures].sum())
        why = too_small(len(group.pictures), able, "questions")
        figures = {} if why else _finding(shown, asked, group.pictures, judging)
        slices.append(Slice(group.by, group.name, len(group.pictures), figures, why))
    mistakes, total = worst(_mistakes(shown, asked), judging.worst)
    return Evaluation(
        schema="evaluation/1",
        model=subject.model,
        data=subject.data,
        draws=judging.draws,
        seed=judging.seed,
        zone=str(judging.zone),
        slices=tuple(slices),
        unsliced={**grouped.without, "class": "an identity is not a class of its own to be judged"},
        mistakes=mistakes,
        mistakes_of_kind=total,
        curve=curve,
    )


@dataclass(frozen=True)
class _Answered:
    """Each picture's question [n]: whether it has an answer, the nearest other picture, how near
    that and the nearest of its own identity are, and the average precision."""

    able: Booleans
    nearest: Integers
    near: Floats
    own: Floats
    precision: Floats


def _answered(shown: Vectors) -> _Answered:
    n = len(shown.items)
    nearest, near = np.zeros(n, np.int64), np.zeros(n)
    own, precision = np.full(n, np.nan), np.full(n, np.nan)
    for start in range(0, n, _ROWS):
        rows = np.arange(start, min(start + _ROWS, n))
        likeness = shown.vectors[rows] @ shown.vectors.T
        likeness[np.arange(len(rows)), rows] = -np.inf  # nobody answers with himself
        nearest[rows] = likeness.argmax(axis=1)
        near[rows] = likeness.max(axis=1)
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :-1]
        same = shown.identities[order] == shown.identities[rows][:, None]
        place = np.arange(1, n)
        hits = same.sum(axis=1)
        found = (np.cumsum(same, axis=1) / place * same).sum(axis=1)
        precision[rows] = ratio(found, hits.astype(float), np.nan)
        mine = np.where(shown.identities == shown.identities[rows][:, None], likeness, -np.inf)
        own[rows] = mine.max(axis=1)
    return _Answered(~np.isnan(precision), nearest, near, own, precision)


def _finding(
    shown: Vectors, asked: _Answered, pictures: Integers, judging: Judging
) -> dict[str, Measure]:
    able = pictures[asked.able[pictures]]
    kinds, identity = np.unique(shown.identities[able], return_inverse=True)
    weights = drawn(len(kinds), judging.draws, judging.seed)[:, identity]
    right = shown.identities[asked.nearest[able]] == shown.identities[able]
    total = weights.sum(axis=1)
    return {
        "recall_at_1": measure(ratio(weights @ right, total, np.nan), len(able), len(kinds)),
        "map": measure(
            ratio(weights @ asked.precision[able], total, np.nan), len(able), len(kinds)
        ),
    }


def _mistakes(shown: Vectors, asked: _Answered) -> list[Mistake]:
    """Pictures whose nearest is another identity; the loss is how much nearer than the own one."""
    wrong = asked.able & (shown.identities[asked.nearest] != shown.identities)
    return [
        Mistake(
            "confused",
            shown.items[i].id,
            round(float(asked.near[i] - asked.own[i]), 6),
            truth=shown.names[shown.identities[i]],
            found=shown.names[shown.identities[asked.nearest[i]]],
            score=float(asked.near[i]),
            other=shown.items[asked.nearest[i]].id,
        )
        for i in np.flatnonzero(wrong)
    ]
