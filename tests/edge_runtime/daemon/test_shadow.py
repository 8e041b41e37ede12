"""The sequential test: its error rates, its ends, and what counts as a disagreement."""

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import Outputs, Release
from edge_runtime.daemon.settings import ShadowSettings
from edge_runtime.daemon.shadow import Tally, difference, incomparable, judge

from ..models import build, build_digits

LIMITS = ShadowSettings()


def _refused(p: float, limits: ShadowSettings) -> float:
    """The exact probability that a trial which disagrees with probability p each is refused."""
    alive = np.array([1.0])  # by number of disagreements, among those not decided yet
    refused = 0.0
    for n in range(1, limits.most + 1):
        alive = np.append(alive * (1 - p), 0) + np.append(0, alive * p)
        for k in np.flatnonzero(alive > 1e-15):
            verdict = judge(Tally(n, int(k)), 0.0, limits)
            if verdict is not None:
                refused += alive[k] if verdict.step == "back" else 0.0
                alive[k] = 0.0
    assert alive.sum() < 1e-9  # at `most` everything is decided
    return float(refused)


@pytest.mark.parametrize("p", [0.0, 0.02, LIMITS.accept])
def test_a_good_release_is_refused_with_at_most_the_stated_probability(p: float) -> None:
    assert _refused(p, LIMITS) <= LIMITS.error


@pytest.mark.parametrize("p", [LIMITS.refuse, 0.5, 1.0])
def test_a_bad_release_is_let_in_with_at_most_the_stated_probability(p: float) -> None:
    assert 1 - _refused(p, LIMITS) <= LIMITS.error


@pytest.mark.parametrize(
    ("tally", "waited", "step"),
    [
        (Tally(49, 0), 0, None),  # too few to say anything
        (Tally(49, 49), 0, None),
        (Tally(50, 0), 0, "go"),
        (Tally(50, 40, "x"), 0, "back"),
        (Tally(50, 6), 0, None),  # between the bounds
        (Tally(1000, 127), 0, "go"),  # at the end the nearer side counts
        (Tally(1000, 130), 0, "back"),
        (Tally(60, 9), LIMITS.wait_s, "back"),
        (Tally(60, 7), LIMITS.wait_s, "go"),
        (Tally(0, 0), LIMITS.wait_s - 1, None),
        (Tally(0, 0, "", "nan"), 0, "back"),  # what is broken needs no test
    ],
)
def test_its_ends(tally: Tally, waited: float, step: str | None) -> None:
    verdict = judge(tally, waited, LIMITS)
    assert (verdict.step if verdict else None) == step


def test_without_traffic_the_golden_test_stands_alone_and_it_is_said() -> None:
    verdict = judge(Tally(3, 1), LIMITS.wait_s, LIMITS)
    assert verdict is not None
    assert verdict.step == "go"
    assert verdict.why.startswith("golden self-test alone: 3 live pictures")


RELEASE = build(1).release  # threshold 0.8: clear from 0.9, gone below 0.65


def _found(*decisions: tuple[float, float], label: int = 0) -> Outputs:
    """One picture's outputs: decisions of (x, score), 10 × 10 boxes."""
    boxes = [[x, 0.0, x + 10, 10.0] for x, _ in decisions]
    return {
        "boxes": np.array(boxes, np.float32).reshape(1, -1, 4),
        "scores": np.array([[score for _, score in decisions]], np.float32),
        "labels": np.full((1, len(decisions)), label, np.int64),
    }


@pytest.mark.parametrize(
    ("live", "trial", "text"),
    [
        ([(0, 0.99)], [(1, 0.81)], None),  # a score may move, a box a little
        ([(0, 0.99)], [(1, 0.7)], None),  # near the threshold it may be missing
        ([(0, 0.99)], [(1, 0.3)], "missing in"),
        ([(0, 0.99)], [(30, 0.99)], "missing in"),
        ([], [(0, 0.95)], "new in"),
        ([], [(0, 0.85)], None),
        ([], [], None),
    ],
)
def test_detections_are_held_beside_each_other(
    live: list[tuple[float, float]], trial: list[tuple[float, float]], text: str | None
) -> None:
    found = difference((RELEASE, RELEASE), (_found(*live), _found(*trial)), 0, LIMITS)
    assert (found is None) if text is None else (found is not None and text in found)


def _with(labels: tuple[str, ...], release: Release = RELEASE) -> Release:
    return msgspec.structs.replace(release, labels=labels)


def test_labels_are_held_by_name_and_new_ones_are_no_disagreement() -> None:
    moved = _with(("other", "square"))
    pair = (_found((0, 0.99)), _found((0, 0.99), label=1))
    assert difference((RELEASE, moved), pair, 0, LIMITS) is None
    added = (_found(), _found((0, 0.99), label=0))
    assert difference((RELEASE, moved), added, 0, LIMITS) is None


@pytest.mark.parametrize(
    ("live", "trial", "same"),
    [
        ((0.95, 0.05), (0.9, 0.1), True),
        ((0.95, 0.05), (0.05, 0.95), False),
        ((0.6, 0.4), (0.4, 0.6), True),
    ],
)
def test_classes_differ_only_where_one_is_sure(
    live: tuple[float, ...], trial: tuple[float, ...], same: bool
) -> None:
    digits = build_digits(1).release
    outputs = tuple({"probabilities": np.array([p], np.float32)} for p in (live, trial))
    found = difference((digits, digits), (outputs[0], outputs[1]), 0, LIMITS)
    assert (found is None) == same


def test_what_takes_other_pictures_cannot_be_shadowed() -> None:
    assert incomparable(RELEASE, RELEASE) == ""
    assert "other pictures" in incomparable(
        RELEASE,
        msgspec.structs.replace(RELEASE, input=msgspec.structs.replace(RELEASE.input, width=32)),
    )
    assert "is for" in incomparable(RELEASE, build_digits(2).release)
