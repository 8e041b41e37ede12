"""An embedding's evaluation: finding again by hand, telling apart as scikit-learn has it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation import Judging, Vectors, evaluate_embeddings
from edgefactory.training.evaluation.verification import MOST_PAIRS, RULE, all_pairs, rates, verify
from edgefactory.training.metrics import Floats, Integers

from .made import items, subject


def unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float64)


def clouds(seed: int, kinds: int, each: int, spread: float = 0.6) -> tuple[Floats, Integers]:
    generator = np.random.default_rng(seed)
    identities = np.repeat(np.arange(kinds), each)
    middles = generator.normal(0, 1, (kinds, 8))
    return unit(middles[identities] + generator.normal(0, spread, (len(identities), 8))), identities


def vectors(made: Floats, identities: Integers) -> Vectors:
    names = [f"p{number}" for number in range(int(identities.max()) + 1)]
    return Vectors("test", items(len(made)), made, identities, names)


def test_recall_and_map_by_hand() -> None:
    angles = np.deg2rad([0, 10, 25, 90, 60])
    made = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    identities = np.array([0, 0, 1, 1, 2])
    judged = evaluate_embeddings(subject((), "embedding"), vectors(made, identities))
    figures = judged.overall()
    # 0 finds 10 first; 10 finds 0 first; 25 finds 10 first, its own (90) comes last; 90 finds 60.
    assert figures["recall_at_1"].value == 0.5
    assert figures["recall_at_1"].n == 4
    assert figures["map"].value == pytest.approx((1 + 1 + 1 / 4 + 1 / 2) / 4)
    assert {mistake.truth for mistake in judged.mistakes} == {"p1"}
    worst = judged.mistakes[0]
    assert worst.loss == pytest.approx(np.cos(np.deg2rad(15)) - np.cos(np.deg2rad(65)), abs=1e-5)
    assert worst.other == items(5)[1].id


def test_verification_is_what_scikit_learn_says() -> None:
    made, identities = clouds(0, 12, 12)
    figures, curve = verify(made, identities, Judging(draws=50))
    likeness = made @ made.T
    one, other = np.triu_indices(len(made), 1)
    same, scores = identities[one] == identities[other], likeness[one, other]
    assert figures["auc"].value == pytest.approx(metrics.roc_auc_score(same, scores))
    far, tar, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
    assert figures["tar_at_far_1e-2"].value == pytest.approx(tar[far <= 1e-2].max())
    nearest = np.abs(far - (1 - tar)).argmin()
    assert figures["eer"].value == pytest.approx((far[nearest] + 1 - tar[nearest]) / 2)
    assert curve is not None
    assert curve.x[-1] == curve.y[-1] == 1.0
    for figure in (figures["auc"], figures["eer"], figures["tar_at_far_1e-2"]):
        assert figure.interval is not None
        assert figure.value is not None
        assert figure.interval[0] < figure.value < figure.interval[1]


def test_equal_likeness_is_one_threshold() -> None:
    made = unit(np.array([[1.0, 0], [1, 0], [1, 0], [0, 1], [0, 1]]))
    identities = np.array([0, 0, 1, 1, 1])
    found = rates(all_pairs(made, identities, 0), np.ones((1, 2)))
    one, other = np.triu_indices(5, 1)
    same = identities[one] == identities[other]
    likeness = (made @ made.T)[one, other]
    assert found.far.shape[1] == len(np.unique(likeness.round(9)))
    assert found.auc()[0] == pytest.approx(metrics.roc_auc_score(same, likeness.round(9)))


def test_a_rate_that_too_few_pairs_can_show_says_so() -> None:
    figures, _ = verify(*clouds(1, 12, 6), Judging(draws=20))
    rare = figures["tar_at_far_1e-3"]
    assert rare.value is None
    assert f"{RULE} and 30000 are needed" in rare.why


def test_many_pairs_are_drawn_and_not_all_taken() -> None:
    made, identities = clouds(2, 40, 30)
    found = all_pairs(made, identities, 0)
    assert (~found.same).sum() <= MOST_PAIRS
    assert found.same.sum() == 40 * 30 * 29 / 2
    judging = Judging(draws=10)
    drawn_auc = verify(made, identities, judging)[0]["auc"].value
    one, other = np.triu_indices(len(made), 1)
    same = identities[one] == identities[other]
    exact = metrics.roc_auc_score(same, np.einsum("kd,kd->k", made[one], made[other]))
    assert drawn_auc == pytest.approx(exact, abs=0.003)


def test_few_identities_with_very_many_pictures_are_drawn_from_alike() -> None:
    made, identities = clouds(6, 2, 900)
    found = all_pairs(made, identities, 0)
    assert found.same.sum() <= MOST_PAIRS
    kinds = found.identities[found.same, 0]
    assert abs(np.mean(kinds) - 0.5) < 0.01


def test_the_bootstrap_is_over_identities() -> None:
    made, identities = clouds(3, 5, 24, spread=1.5)
    judged = evaluate_embeddings(subject((), "embedding"), vectors(made, identities)).overall()
    found = judged["recall_at_1"]
    assert found.interval is not None
    assert found.value is not None
    of_each = [
        evaluate_embeddings(subject((), "embedding"), vectors(made, identities)) for _ in range(1)
    ]
    assert of_each[0].overall()["recall_at_1"] == found
    # Five identities only: far wider than 120 independent pictures would have it.
    alone = 1.96 * np.sqrt(found.value * (1 - found.value) / 120)
    assert found.interval[1] - found.interval[0] > alone


def test_nobody_twice_is_refused() -> None:
    made, _ = clouds(4, 1, 4)
    with pytest.raises(InputError, match="shows no class twice in 4 pictures"):
        evaluate_embeddings(subject((), "embedding"), vectors(made, np.arange(4)))


def test_one_identity_cannot_be_told_apart_and_says_so() -> None:
    figures, curve = verify(*clouds(5, 1, 6), Judging(draws=20))
    assert curve is None
    assert {figure.value for figure in figures.values()} == {None}
    assert figures["eer"].why == "15 pairs of the same, 0 of different identities"
