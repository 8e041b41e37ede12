"""A distribution that changed is told, one that did not is not, and too little says nothing."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from edge_runtime.contract import Decisions, Sketch
from edge_runtime.contract.referring import reference_of
from edge_runtime.contract.sketching import (
    BINS,
    INPUTS,
    decisions_of,
    independent,
    inputs_of,
    sketch_of,
)
from edge_runtime.watching.drift import LOOK, MOST, WINDOWS, Figure, _chi_square, compare

Float64 = npt.NDArray[np.float64]


def _series(draw: np.random.Generator, n: int, alike: float = 0.0) -> Float64:
    """Normal values whose neighbours have the correlation `alike`."""
    steps = draw.normal(size=n)
    values = np.empty(n)
    values[0] = steps[0]
    for i in range(1, n):
        values[i] = alike * values[i - 1] + np.sqrt(1 - alike**2) * steps[i]
    return values


def _after(figure: Figure, values: Iterable[float]) -> Figure:
    for value in values:
        figure = figure.step(float(value))
    return figure


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_a_sketch_of_anything_is_valid_and_counts_all(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert sum(sketch.counts) == len(values)
    assert 2 <= len(sketch.counts) <= BINS + 1


@pytest.mark.parametrize(("alike", "worth"), [(0.0, 4000), (0.5, 4000 / 3), (0.9, 4000 / 19)])
def test_neighbours_that_are_alike_are_worth_less(alike: float, worth: float) -> None:
    found = independent(_series(np.random.default_rng(0), 4000, alike))
    assert found == pytest.approx(worth, rel=0.2)


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_chance_is_no_drift(alike: float) -> None:
    draw = np.random.default_rng(0)
    verdicts = []
    for _ in range(10):
        figure = Figure(sketch_of(_series(draw, 1000, alike)))
        verdicts.append(_after(figure, _series(draw, 1200, alike)).belief.verdict)
    assert set(verdicts) == {"ok"}


def test_the_bias_of_a_psi_of_few_is_taken_off() -> None:
    draw = np.random.default_rng(0)
    found = []
    for _ in range(400):
        before, now = ([int(n) for n in draw.multinomial(100, [0.1] * 10)] for _ in range(2))
        found.append(compare(before, now, (100, 100)).distance)
    assert float(np.mean(found)) == pytest.approx(0, abs=0.02)  # 0.18 with it


@pytest.mark.parametrize("free", [1, 2, 3, 9, 63])
def test_the_limit_of_chance_is_the_percentile_of_chi_square(free: int) -> None:
    assert _chi_square(free) == pytest.approx(chi2.ppf(0.999, free), rel=0.035)


def test_a_change_is_believed_after_two_windows_and_forgotten_after_two() -> None:
    draw = np.random.default_rng(0)
    figure = _after(Figure(sketch_of(draw.normal(size=1000))), draw.normal(size=LOOK))
    assert figure.belief.verdict == "ok"
    figure = _after(figure, draw.normal(2, 1, LOOK))
    assert figure.belief.verdict == "ok"
    figure = _after(figure, draw.normal(2, 1, (WINDOWS - 1) * LOOK))
    assert figure.belief.verdict == "drifting"
    said = figure.belief.said()
    assert said.psi is not None
    assert said.limit is not None
    assert said.psi > said.limit >= 0.1
    assert _after(figure, draw.normal(size=LOOK)).belief.verdict == "drifting"
    assert _after(figure, draw.normal(size=WINDOWS * LOOK)).belief.verdict == "ok"


def test_little_says_nothing() -> None:
    draw = np.random.default_rng(0)
    sketch = sketch_of(draw.normal(size=1000))
    figure = _after(Figure(sketch), draw.normal(5, 1, LOOK - 1))
    assert figure.belief.said().psi is None
    ramp = _after(Figure(sketch), np.linspace(0, 5, MOST))  # hardly one independent picture
    assert ramp.belief.verdict == "too few"
    few = Figure(replace_worth(sketch, 5.0))
    assert _after(few, draw.normal(5, 1, 600)).belief.verdict == "too few"


def replace_worth(sketch: Sketch, worth: float) -> Sketch:
    return Sketch(sketch.edges, sketch.counts, worth)


def test_what_leaves_the_one_value_that_there_was_is_seen() -> None:
    figure = Figure(sketch_of([0.0] * 500))
    figure = _after(figure, [0.0] * LOOK)
    assert figure.belief.verdict == "ok"
    assert _after(figure, [0.0, 1.0] * LOOK).belief.verdict == "drifting"


def test_a_figure_is_a_value() -> None:
    figure = Figure(sketch_of([0.0, 1.0, 2.0] * 10))
    assert figure.step(1.0) == figure.step(1.0) != figure
    assert replace(figure) == figure


def test_inputs_are_told_by_what_changes_them() -> None:
    draw = np.random.default_rng(0)
    grey = np.repeat(draw.integers(60, 190, (90, 120, 1), np.uint8), 3, axis=2)
    before = inputs_of(grey)
    assert inputs_of(grey // 2)["brightness"] == pytest.approx(before["brightness"] / 2, abs=1)
    assert inputs_of(grey // 2)["contrast"] < before["contrast"] * 0.6
    assert before["colour"] == 0
    assert inputs_of(grey * np.array([1, 0, 0], np.uint8))["colour"] > 60
    soft = (grey[:, 1:].astype(np.uint16) + grey[:, :-1]) // 2
    assert inputs_of(soft.astype(np.uint8))["sharpness"] < before["sharpness"]
    assert set(inputs_of(np.zeros((1, 1, 3), np.uint8))) == set(INPUTS)


def test_decisions_are_told_as_they_count() -> None:
    assert decisions_of(Decisions((), ()), 0.5) == {"score": 0, "decisions": 0, "leading": -1}
    seen = Decisions((2, 0, 1), (0.9, 0.6, 0.3))
    assert decisions_of(seen, 0.5) == {"score": 0.9, "decisions": 2, "leading": 2}
    assert decisions_of(Decisions((2,), (0.01,)), 0.5)["score"] == 0


def test_a_reference_has_a_bin_a_class_and_one_for_none() -> None:
    saw = [inputs_of(np.full((8, 8, 3), n, np.uint8)) for n in range(20)]
    said = [decisions_of(Decisions((n % 3,), (0.9,)), 0.5 if n < 15 else 1.0) for n in range(20)]
    found = reference_of(saw, {"a": said}, 3).said["a"].leading
    assert found.edges == (-0.5, 0.5, 1.5)
    assert found.counts == (5, 5, 5, 5)
