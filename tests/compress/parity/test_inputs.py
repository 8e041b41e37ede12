"""What a graph is fed wrongly is recognised by what undoes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edge_runtime.contract import InputSpec, Placement, preprocess
from edgefactory.compress.parity.inputs import Pair, input_cause
from edgefactory.compress.parity.pipeline import Fed

UInt8 = npt.NDArray[np.uint8]

SPEC = InputSpec(width=32, height=24)


def pictures(size: tuple[int, int] = (96, 72)) -> list[UInt8]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(3):
        rough = Image.fromarray(rng.integers(0, 256, (18, 24, 3), np.uint8))
        made.append(np.asarray(rough.resize(size, Image.Resampling.BICUBIC)))
    return made


def pairs(*, floats: bool = False) -> list[Pair]:
    made = []
    for picture in pictures():
        fed, place = preprocess(picture, SPEC)
        given: Fed = (fed.astype(np.float32) - 128) / 64 if floats else fed
        made.append(Pair(picture, given, given.copy(), (place, place)))
    return made


def spoilt(made: list[Pair], other: list[Fed]) -> str | None:
    wrong = [replace(pair, other=fed) for pair, fed in zip(made, other, strict=True)]
    cause = input_cause(wrong, SPEC)
    return cause.kind if cause else None


def test_the_same_has_no_cause() -> None:
    assert input_cause(pairs(), SPEC) is None


def test_a_decoder_that_rounds_otherwise_is_no_cause() -> None:
    made = pairs()
    rng = np.random.default_rng(1)
    off = [p.reference + (rng.random(p.reference.shape) < 0.02) for p in made]
    assert spoilt(made, off) is None


@pytest.mark.parametrize("floats", [False, True])
def test_colours_and_layouts_are_told(floats: bool) -> None:
    made = pairs(floats=floats)
    assert spoilt(made, [p.reference[:, :, ::-1] for p in made]) == "colours"
    assert spoilt(made, [p.reference[:, ::-1] for p in made]) == "mirrored"
    planes = [p.reference.transpose(2, 0, 1).reshape(p.reference.shape) for p in made]
    assert spoilt(made, planes) == "layout"
    assert spoilt(made, [p.reference.transpose(2, 0, 1) for p in made]) == "layout"


def test_means_and_scales_are_told() -> None:
    made = pairs(floats=True)
    assert spoilt(made, [p.reference + 0.4 for p in made]) == "mean"
    assert spoilt(made, [p.reference * 64 + 128 for p in made]) == "normalisation"


def test_ways_to_shrink_are_told() -> None:
    made = pairs()
    size = SPEC.width, SPEC.height
    smooth = [
        np.asarray(Image.fromarray(p.picture).resize(size, Image.Resampling.LANCZOS)) for p in made
    ]
    assert spoilt(made, smooth) == "resize"
    assert spoilt(made, [p.picture[::3, ::3] for p in made]) == "resize"
    moved = [np.roll(p.picture, -2, axis=1) for p in made]
    assert spoilt(made, [preprocess(picture, SPEC)[0] for picture in moved]) == "shift"


def test_what_nothing_explains_is_measured() -> None:
    made = pairs()
    noise = np.random.default_rng(2)
    other = [noise.integers(0, 256, p.reference.shape, np.uint8) for p in made]
    assert spoilt(made, other) == "inputs"


def test_boxes_carried_back_otherwise_are_told() -> None:
    made = [replace(p, places=(p.places[0], Placement(1.0, 1.0, 0.0, 0.0))) for p in pairs()]
    cause = input_cause(made, SPEC)
    assert cause is not None
    assert cause.kind == "placement"
