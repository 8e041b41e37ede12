"""Timing: interleaved, warm, and ratios with an interval."""

import numpy as np

from edgefactory.compress.timing import Timed, interleave, ratio


def test_subjects_take_turns_and_the_first_call_is_not_counted() -> None:
    calls: list[str] = []
    subjects = {
        "a": Timed((lambda: calls.append("a"),), repeats=2),
        "b": Timed((lambda: calls.append("b"), lambda: calls.append("c"))),
    }
    rounds: list[int] = []
    samples = interleave(subjects, 2, rounds.append)
    assert "".join(calls) == "abc" + "aabc" * 2
    assert rounds == [0, 1, 2]
    assert [len(samples[key].wall) for key in "ab"] == [4, 4]
    assert (samples["a"].cpu >= 0).all()


def test_a_ratio_is_that_of_the_medians_and_lies_in_its_interval() -> None:
    rng = np.random.default_rng(1)
    slow, fast = rng.normal(100, 5, 50), rng.normal(2, 0.1, 200)
    value, low, high = ratio(slow, fast, seed=0)
    assert low < value < high
    assert abs(value - 50) < 2
    assert ratio(slow, fast, seed=0) == (value, low, high)
