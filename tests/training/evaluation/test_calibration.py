"""ECE by its definition, what chance makes of it, and the temperature that mends it."""

from __future__ import annotations

import numpy as np
import pytest

from edgefactory.training.evaluation.calibration import (
    LEAST,
    Confidences,
    fit_classes,
    fit_scores,
    reliability,
    warm_classes,
    warm_scores,
)
from edgefactory.training.metrics import Floats


def confidences(sure: Floats, seed: int = 0, truly: Floats | None = None) -> Confidences:
    """Right as often as `truly` says; each in a picture of its own."""
    chance = sure if truly is None else truly
    right = np.random.default_rng(seed).random(len(sure)) < chance
    return Confidences(sure, right, np.arange(len(sure)), len(sure))


def test_ece_is_the_mean_gap_of_bins_of_equal_mass() -> None:
    sure = np.concatenate([np.full(20, 0.3), np.full(20, 0.9)])
    right = np.concatenate([np.arange(20) < 10, np.arange(20) < 12])
    found = reliability(Confidences(sure, right, np.arange(40), 40), 100, 0)
    assert found.ece.value == pytest.approx((0.2 + 0.3) / 2)
    assert [one.confidence for one in found.bins] == pytest.approx([0.3, 0.9])
    assert [(one.right.value, one.right.n) for one in found.bins] == [(0.5, 20), (0.6, 20)]


def test_a_calibrated_model_shows_no_more_than_chance() -> None:
    sure = np.random.default_rng(1).uniform(0.5, 1, 600)
    shown = [reliability(confidences(sure, seed), 20, 0) for seed in range(100, 112)]
    values = [one.ece.value for one in shown if one.ece.value is not None]
    assert shown[0].chance is not None
    assert np.mean(values) == pytest.approx(shown[0].chance, rel=0.2)


def test_the_interval_holds_the_value_and_a_miscalibrated_model_is_beyond_chance() -> None:
    sure = np.random.default_rng(2).uniform(0.6, 1, 500)
    found = reliability(confidences(sure, 9, sure - 0.3), 200, 0)
    assert found.ece.interval is not None
    assert found.ece.value is not None
    assert found.chance is not None
    low, high = found.ece.interval
    assert low <= found.ece.value <= high
    assert found.ece.value == pytest.approx(0.3, abs=0.05)
    assert found.chance < low


def test_too_few_decisions_are_not_judged() -> None:
    found = reliability(confidences(np.full(LEAST - 1, 0.5)), 20, 0)
    assert found.ece.value is None
    assert found.ece.why == f"{LEAST} decisions are needed"
    assert found.bins == ()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_overconfident_classes_is_found_again(temperature: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (4000, 4))
    true = warm_classes(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 1.0)
    targets = (true.cumsum(axis=1) > generator.random((4000, 1))).argmax(axis=1)
    assert fit_classes(warm_classes(true, 1 / temperature), targets) == pytest.approx(
        temperature, rel=0.1
    )


def test_the_temperature_of_scores_is_found_again_and_keeps_their_order() -> None:
    truly = np.random.default_rng(0).uniform(0.02, 0.98, 6000)
    cold = warm_scores(truly, 1 / 2.0)
    temperature = fit_scores(confidences(cold, 9, truly))
    assert temperature == pytest.approx(2.0, rel=0.1)
    warm = warm_scores(cold, temperature)
    assert (np.argsort(warm) == np.argsort(cold)).all()
    before, after = (reliability(confidences(s, 9, truly), 20, 0) for s in (cold, warm))
    assert before.ece.value is not None
    assert after.ece.value is not None
    assert after.ece.value < before.ece.value / 2
