"""From a snapshot to the pictures to ask about: which, in what order, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefactory.datasets import snapshot_digest
from edgefactory.datasets.asking import AskSettings, next_questions
from edgefactory.datasets.bounds import calibration_order
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers import parse_teacher

from ..teachers.graphs import means_graph
from .pools import Shot, said, saved, texture, walk

CLASSES = ("cat", "dog")


def _sure(seed: int, score: float = 0.95) -> Shot:
    return Shot(texture(seed), (said("cat", score), said("dog", 1 - score)))


def test_the_unsure_come_first_and_say_so(tmp_path: Path) -> None:
    unsure = [_sure(seed, 0.52) for seed in (3, 7)]
    shots = [*(_sure(seed) for seed in range(10, 18)), *unsure]
    ids = saved(tmp_path / "s", "classification", CLASSES, shots)
    questions = next_questions(AskSettings(count=3), tmp_path / "s")
    assert {question.id for question in questions.asked[:2]} == set(ids[-2:])
    assert [question.why for question in questions.asked] == [
        ("uncertain",),
        ("uncertain",),
        ("unlike",),
    ]
    assert questions.snapshot == snapshot_digest(tmp_path / "s")
    values = [question.value for question in questions.asked]
    assert values == sorted(values, reverse=True)


def test_of_near_duplicates_one_is_asked_about_before_the_rest(tmp_path: Path) -> None:
    shots = [Shot(texture(1, noise)) for noise in range(12)]
    shots += [Shot(texture(seed)) for seed in range(2, 6)]
    ids = saved(tmp_path / "s", "classification", CLASSES, shots)
    questions = next_questions(AskSettings(count=5), tmp_path / "s")
    asked = {question.id for question in questions.asked}
    assert len(asked & set(ids[:12])) == 1
    assert set(ids[12:]) < asked


def test_only_pictures_to_learn_from_that_nobody_has_seen_are_asked_about(tmp_path: Path) -> None:
    human = said("cat", 1.0, teacher="human:ann")
    shots = [
        Shot(texture(1), reviewed=True),
        Shot(texture(2), (human,)),
        Shot(texture(3), (said("dog", 1.0, teacher="imported:coco"),)),
        Shot(texture(4), split="test"),
        Shot(texture(5), split="val"),
        _sure(6),
    ]
    ids = saved(tmp_path / "s", "classification", CLASSES, shots)
    asked = next_questions(AskSettings(), tmp_path / "s").asked
    assert [question.id for question in asked] == ids[5:]


def test_what_looks_like_something_seen_comes_last(tmp_path: Path) -> None:
    shots = [Shot(texture(1), reviewed=True), Shot(texture(1, noise=3)), Shot(texture(2))]
    ids = saved(tmp_path / "s", "classification", CLASSES, shots)
    asked = next_questions(AskSettings(), tmp_path / "s").asked
    assert [question.id for question in asked] == [ids[2], ids[1]]


def test_the_calibration_is_the_next_part_of_its_order(tmp_path: Path) -> None:
    shots = [Shot(texture(seed), split="test" if seed % 3 else "train") for seed in range(12)]
    order = calibration_order(saved(tmp_path / "s", "classification", CLASSES, shots), seed=4)
    asked = next_questions(AskSettings(count=2, calibration=5, seed=4), tmp_path / "s").asked
    assert [question.id for question in asked[:5]] == order[:5]
    assert {question.why for question in asked[:5]} == {("calibration",)}
    assert len({question.id for question in asked}) == len(asked) == 7


def test_of_the_calibration_what_was_reviewed_is_left_out(tmp_path: Path) -> None:
    ids = saved(tmp_path / "a", "classification", CLASSES, [Shot(texture(k)) for k in range(8)])
    order = calibration_order(ids, seed=0)
    shots = [Shot(texture(k), reviewed=ids[k] in order[:3]) for k in range(8)]
    saved(tmp_path / "b", "classification", CLASSES, shots)
    asked = next_questions(AskSettings(count=0, calibration=4), tmp_path / "b").asked
    assert [question.id for question in asked] == order[3:7]


def test_a_missed_figure_that_moves_is_asked_about(tmp_path: Path) -> None:
    """Every frame is labelled but one: motion finds it, and so does the hole in the track."""
    shots = []
    for frame in range(10):
        pixels, box = walk(frame)
        labels = () if frame == 5 else (said("person", 0.99, box),)
        shots.append(Shot(pixels, labels, frame=frame))
    ids = saved(tmp_path / "s", "detection", ("person",), shots)
    first = next_questions(AskSettings(count=1), tmp_path / "s").asked[0]
    assert first.id == ids[5]
    assert set(first.why) == {"motion", "gap"}


def test_in_a_video_without_labels_frames_with_motion_come_first(tmp_path: Path) -> None:
    still = [Shot(np.roll(texture(1), k, axis=0), frame=100 * k) for k in range(1, 4)]
    moving = [Shot(walk(frame)[0], frame=1000 + frame) for frame in (2, 5, 8)]
    ids = saved(tmp_path / "s", "detection", ("person",), [*still, *moving])
    first = next_questions(AskSettings(count=1), tmp_path / "s").asked[0]
    assert first.id == ids[4]
    assert first.why == ("motion", "uncertain")


def test_when_people_have_seen_everything_there_is_nothing_to_ask(tmp_path: Path) -> None:
    saved(tmp_path / "s", "classification", CLASSES, [Shot(texture(1), reviewed=True)])
    with pytest.raises(InputError, match="have seen every picture"):
        next_questions(AskSettings(), tmp_path / "s")


@pytest.mark.parametrize(("count", "calibration"), [(0, 0), (-1, 5), (5, -1)])
def test_one_must_ask_for_something(count: int, calibration: int) -> None:
    with pytest.raises(InputError, match="--count"):
        AskSettings(count=count, calibration=calibration)


@pytest.mark.component
def test_a_teacher_that_says_otherwise_is_heard(tmp_path: Path) -> None:
    """The labels say "red" of all; a model that goes by the mean colour says so of the red."""
    tints = [(255, 0, 0), (250, 5, 5), (0, 0, 255), (245, 0, 9)]
    tinted = [np.full((32, 32, 3), tint, np.uint8) for tint in tints]
    shots = [Shot(pixels, (said("red", 0.99),)) for pixels in tinted]
    ids = saved(tmp_path / "s", "classification", ("red", "green", "blue"), shots)
    model = tmp_path / "means.onnx"
    model.write_bytes(means_graph())
    teacher = parse_teacher(f"onnx:{model}?mean=0/0/0&std=1/1/1", ("red", "green", "blue"))
    first = next_questions(AskSettings(count=1, teachers=(teacher,)), tmp_path / "s").asked[0]
    assert first.id == ids[2]
    assert "disagreement" in first.why
    other = parse_teacher(f"onnx:{model}?mean=0/0/0&std=1/1/1", ("a", "b", "c"))
    with pytest.raises(InputError, match="classification of a, b, c"):
        next_questions(AskSettings(count=1, teachers=(other,)), tmp_path / "s")
