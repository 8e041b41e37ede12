"""Figures that go together otherwise are told, though each alone is as before; chance is not."""

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import lfilter

from edge_runtime.contract import Sketch, Together
from edge_runtime.contract.sketching import DECISIONS, INPUTS, sketch_of
from edge_runtime.contract.together import (
    FIGURES,
    mean_products,
    ranks_of,
    together_of,
    worth_of,
)
from edge_runtime.watching.drift import DRIFTS, LOOK, MOST, Figure, Joint, compare_jointly

Float64 = npt.NDArray[np.float64]


def _figures(
    draw: np.random.Generator, n: int, together: float = 0.6, alike: float = 0.0
) -> Float64:
    """[n,7]: brightness and the score go together, others a little; decisions and leading are
    whole numbers, as they are of real pictures. Neighbours have the correlation `alike`."""
    wanted = np.eye(7)
    for first, second, value in ((0, 4, together), (0, 1, 0.3), (2, 3, -0.4)):
        wanted[first, second] = wanted[second, first] = value
    steps = draw.normal(size=(n, 7)) @ np.linalg.cholesky(wanted).T
    values: Float64 = lfilter([np.sqrt(1 - alike**2)], [1, -alike], steps, axis=0)
    values[:, 5] = np.floor(np.clip(values[:, 5] + 1, 0, 4))
    values[:, 6] = values[:, 6] > 1.5
    return values


def _known(values: Float64) -> tuple[Together, tuple[Sketch, ...]]:
    sketches = tuple(sketch_of(column) for column in values.T)
    return together_of(_ranks(values, sketches)), sketches


def _ranks(values: Float64, sketches: tuple[Sketch, ...]) -> Float64:
    """`ranks_of` for many pictures at once."""
    found = []
    for column, sketch in zip(values.T, sketches, strict=True):
        counts = np.asarray(sketch.counts)
        middles = 12**0.5 * ((np.cumsum(counts) - counts / 2) / counts.sum() - 0.5)
        found.append(middles[np.searchsorted(sketch.edges, column, side="right")])
    return np.stack(found, axis=1)


def _after(joint: Joint, values: Float64) -> Joint:
    for row in values:
        joint = joint.step(dict(zip(FIGURES, map(float, row), strict=True)))
    return joint


def test_ranks_are_the_same_one_by_one() -> None:
    values = _figures(np.random.default_rng(0), 50)
    _, sketches = _known(values)
    one_by_one = [ranks_of(dict(zip(FIGURES, row, strict=True)), sketches) for row in values]
    assert np.allclose(one_by_one, _ranks(values, sketches))
    assert np.abs(one_by_one).max() <= 3**0.5
    assert (*INPUTS, *DECISIONS) == FIGURES


def test_the_mean_product_is_the_rank_correlation() -> None:
    values = _figures(np.random.default_rng(0), 20_000)
    together, _ = _known(values)
    assert together.means[3] == pytest.approx(0.58, abs=0.03)  # brightness and score
    assert together.means[0] == pytest.approx(0.29, abs=0.03)  # brightness and contrast
    assert together.means[1] == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize(
    ("known", "window", "alike"), [(150, 60, 0.0), (60, 120, 0.0), (600, 300, 0.0), (400, 600, 0.8)]
)
def test_of_a_thousand_windows_that_are_as_before_at_most_one_is_above_chance(
    known: int, window: int, alike: float
) -> None:
    """2,000 windows of 50 references: 2 are promised, 7 happen once in 200 times of such 2."""
    draw = np.random.default_rng(2012)
    above = 0
    for _ in range(50):
        together, sketches = _known(_figures(draw, known, alike=alike))
        many = _figures(draw, 40 * window, alike=alike)
        for values in np.split(many, 40):
            ranks = _ranks(values, sketches)
            found = compare_jointly(together, ranks, worth_of(ranks))
            above += found.distance > found.chance
    assert above < 7


def test_what_every_figure_alone_misses_is_found() -> None:
    """The score falls with the light where it rose: no histogram is another."""
    draw = np.random.default_rng(0)
    before = _figures(draw, 300)
    together, sketches = _known(before)
    joint = _after(Joint(together, sketches), _figures(draw, 240))
    assert joint.belief.verdict == "ok"
    changed = _figures(draw, 480, together=-0.6)
    joint = _after(joint, changed)
    said = joint.belief.said()
    assert said.verdict == "drifting"
    assert said.psi is not None
    assert said.limit is not None
    assert said.psi > said.limit
    for sketch, column in zip(sketches, changed.T, strict=True):
        figure = Figure(sketch)
        for value in column:
            figure = figure.step(float(value))
        assert figure.belief.verdict == "ok"
    assert _after(joint, _figures(draw, 480)).belief.verdict == "ok"


def test_a_change_of_little_size_is_no_drift_however_sure() -> None:
    draw = np.random.default_rng(0)
    together, sketches = _known(_figures(draw, 20_000, together=0.6))
    ranks = _ranks(_figures(draw, 20_000, together=0.3), sketches)
    found = compare_jointly(together, ranks, worth_of(ranks))
    assert found.chance < found.distance < DRIFTS


def test_it_is_bounded_and_little_says_nothing() -> None:
    draw = np.random.default_rng(0)
    together, sketches = _known(_figures(draw, 300))
    slow = np.linspace(-2, 2, MOST + LOOK)[:, None] * np.ones(7)
    joint = Joint(together, sketches)
    for row in slow:
        joint = joint.step(dict(zip(FIGURES, map(float, row), strict=True)))
        assert len(joint._ranks) < MOST
    assert joint.belief.verdict == "too few"
    few = Joint(msgspec.structs.replace(together, independent=5.0), sketches)
    assert _after(few, _figures(draw, 480, together=-0.6)).belief.verdict == "too few"


def test_figures_that_never_change_have_a_reference_too() -> None:
    still = np.ones((50, 7))
    together, sketches = _known(still)
    assert together.spread == 0
    found = compare_jointly(together, _ranks(still, sketches), 50)
    assert (found.distance, found.chance) == (0, 0)
    assert mean_products(_ranks(still, sketches)).shape == (21,)
