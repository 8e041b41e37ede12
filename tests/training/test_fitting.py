"""What a recipe leaves open follows from the snapshot."""

from __future__ import annotations

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import Features, Signal
from edgefactory.datasets import Item, Snapshot
from edgefactory.training import fitted, recipe_from, task_of

MOTIONS = Features(rate=10.0, low=(0.0,) * 6, high=(1.0,) * 6, steps=100)


def snapshot_of(
    *sizes: tuple[int, int],
    task: Literal["detection", "classification"] = "detection",
    signal: Signal | None = None,
) -> Snapshot:
    items = tuple(
        Item(
            id=f"{number:064x}",
            file=f"images/{number:064x}.png",
            width=width,
            height=height,
            source="toy",
            frame=None,
            captured_at=float(number),
            split="train",
            labels=(),
        )
        for number, (width, height) in enumerate(sizes)
    )
    return Snapshot("toy", task, ("a", "b"), "imported", None, items, signal=signal)


def test_the_task_is_the_snapshots() -> None:
    assert task_of(snapshot_of((8, 8))) == "detection"
    assert task_of(snapshot_of((8, 8), task="classification")) == "classification"
    sequences = snapshot_of((100, 6), task="classification", signal=MOTIONS)
    assert task_of(sequences) == "temporal"


def test_what_a_recipe_says_is_kept() -> None:
    said = {"task": "embedding", "resolution": [40, 40], "epochs": 3}
    assert fitted(said, snapshot_of((640, 480), task="classification")) == said


@pytest.mark.parametrize(
    ("picture", "model", "wanted"),
    [
        ((768, 576), "specialist", [384, 288]),  # the usual one: what the demo has
        ((640, 480), "specialist", [384, 288]),
        ((1920, 1080), "specialist", [432, 240]),
        ((1080, 1920), "specialist", [240, 432]),
        ((64, 48), "specialist", [64, 48]),  # never more than there is
        ((60, 50), "specialist", [64, 48]),
        ((768, 576), "torchvision/fcos_resnet50_fpn", [384, 288]),
        ((1920, 1080), "timm/resnet18", [416, 224]),
        ((4000, 40), "specialist", [3312, 32]),
        ((200, 1452), "timm/resnet18", [128, 864]),  # not 96 × 896, a quarter too narrow
    ],
)
def test_a_detector_gets_the_shape_of_the_pictures(
    picture: tuple[int, int], model: str, wanted: list[int]
) -> None:
    assert fitted({"model": model}, snapshot_of(picture))["resolution"] == wanted


@given(
    st.tuples(st.integers(1, 16384), st.integers(1, 16384)),
    st.sampled_from(["specialist", "timm/resnet18"]),
    st.sampled_from(["detection", "classification", "embedding"]),
)
def test_every_picture_has_a_resolution_that_a_recipe_takes(
    picture: tuple[int, int], model: str, task: Literal["detection", "classification"]
) -> None:
    found = fitted({"model": model, "task": task}, snapshot_of(picture))
    width, height = recipe_from(found, "fitted").resolution
    if task == "detection" and max(picture) < 8 * min(picture):
        assert width * height <= 384 * 288
        if min(picture) >= 200:
            away = math.log(width / height) - math.log(picture[0] / picture[1])
            assert abs(away) < math.log(1.2)


@pytest.mark.parametrize(
    ("picture", "model", "wanted"),
    [
        ((8, 8), "specialist", [8, 8]),
        ((96, 64), "specialist", [96, 64]),
        ((400, 200), "specialist", [96, 48]),
        ((8, 8), "torchvision/resnet18", [32, 32]),
        ((400, 200), "torchvision/resnet18", [224, 112]),
    ],
)
def test_a_classifier_gets_the_pictures_as_they_are_up_to_a_bound(
    picture: tuple[int, int], model: str, wanted: list[int]
) -> None:
    for task in ("classification", "embedding"):
        found = fitted({"model": model, "task": task}, snapshot_of(picture, task="classification"))
        assert found["resolution"] == wanted


def test_sequences_are_taken_as_they_are() -> None:
    sequences = snapshot_of((100, 6), task="classification", signal=MOTIONS)
    assert fitted({}, sequences) == {"task": "temporal", "resolution": [100, 6]}
    assert recipe_from(fitted({}, sequences), "fitted").resolution == (100, 6)
    # Of a detector that somebody wants from them, the task is what is wrong, and not the size.
    assert recipe_from(fitted({"task": "detection"}, sequences), "fitted").task == "detection"


def test_one_odd_picture_does_not_decide() -> None:
    many = snapshot_of((640, 480), (640, 480), (100, 4000))
    assert fitted({}, many)["resolution"] == [384, 288]


def test_a_wrong_value_is_left_to_the_recipes_own_check() -> None:
    assert fitted({"task": 3, "model": None}, snapshot_of((64, 64)))["task"] == 3
