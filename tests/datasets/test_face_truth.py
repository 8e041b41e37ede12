"""The truth of the face clip makes sense by itself, and against what a face detector finds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import iou_matrix
from edgefactory.datasets import (
    Truth,
    fetch_face_clip,
    load_picture,
    read_snapshot,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.fetching import FACE_CLIP, fetch_faces
from edgefactory.datasets.formats import ImportSettings, import_video
from edgefactory.datasets.sampling import SamplingSettings
from edgefactory.datasets.teachers import open_teachers, parse_teacher


@pytest.fixture(scope="module")
def path() -> Path:
    found = shipped_truth(FACE_CLIP.sha256)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def truth(path: Path) -> Truth:
    return read_truth(path)


def test_it_says_what_it_is_about_and_how_it_was_made(truth: Truth) -> None:
    assert (truth.clip.width, truth.clip.height, truth.clip.frames) == (176, 144, 120)
    assert truth.clip.file == FACE_CLIP.cached
    assert truth.classes == ("face",)
    assert truth.annotators
    assert f"every one of the {len(truth.frames)} pictures" in truth.how
    assert "AI assistant" in truth.how


def test_its_frames_are_the_last_of_the_clip_with_one_face_each(truth: Truth) -> None:
    assert [entry.frame for entry in truth.frames] == list(range(85, 120))
    assert all(len(entry.boxes) == 1 for entry in truth.frames)
    assert not any(box.ignore for entry in truth.frames for box in entry.boxes)


def test_boxes_have_a_faces_shape_and_follow_it_smoothly(truth: Truth) -> None:
    boxes = np.array([entry.boxes[0].box for entry in truth.frames])
    high = (boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0])
    assert 1.0 < high.min() <= high.max() < 1.5
    for one, other in pairwise(boxes):
        assert np.abs(one - other).max() <= 3


@pytest.mark.component
def test_the_face_teacher_finds_the_same_faces(path: Path, tmp_path: Path) -> None:
    """The boxes are at the right place in the pictures as we decode them. The teacher's are tighter
    (IoU 0.83 in the mean), and looked at only after the truth was finished."""
    try:
        clip, _ = fetch_face_clip(), fetch_faces()
    except MissingError as error:
        pytest.skip(str(error))
    import_video(clip, tmp_path, ImportSettings(), SamplingSettings(), truth=path)
    snapshot = read_snapshot(tmp_path)
    assert [len(snapshot.split(split)) for split in ("train", "val", "test")] == [70, 9, 35]
    test = snapshot.split("test")
    teacher = open_teachers([parse_teacher("face")])
    for item, found in zip(
        test, teacher.predict([load_picture(tmp_path, item) for item in test]), strict=True
    ):
        true = np.array([label.box for label in item.labels], np.float32)
        assert iou_matrix(true, found.boxes[:1]).max() > 0.75, item.frame
