"""The real teacher on the real clip: both are fetched, or the test says why it was skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import iou_matrix
from edgefactory.datasets import (
    CLIP_SHA256,
    TeacherSettings,
    TiledTeacher,
    fetch_clip,
    fetch_teacher,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.video import read_frames

FRAMES = (600, 650, 700, 750)


@pytest.mark.component
def test_the_converted_teacher_finds_the_persons() -> None:
    try:
        clip, model = fetch_clip(), fetch_teacher()
    except MissingError as error:
        pytest.skip(str(error))
    path = shipped_truth(CLIP_SHA256)
    assert path is not None
    truth = {entry.frame: entry.boxes for entry in read_truth(path).frames}
    pictures = {f.index: f.pixels for f in read_frames(clip, frozenset(FRAMES))}
    found = {
        engine: _found(TiledTeacher(model, TeacherSettings(engine=engine)), pictures)
        for engine in ("onnxruntime", "openvino")
    }
    wanted = hits = 0
    for frame in FRAMES:
        first, second = found["onnxruntime"][frame], found["openvino"][frame]
        np.testing.assert_allclose(first, second, atol=0.1)  # two engines, one decision
        boxes = np.asarray([b.box for b in truth[frame] if not b.ignore], np.float32)
        wanted += len(boxes)
        hits += int((iou_matrix(boxes, first).max(axis=1) >= 0.5).sum())
    assert hits / wanted > 0.75


def _found(
    teacher: TiledTeacher, pictures: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]
) -> dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Boxes of score 0.5 and more by frame, in order of their position."""
    result = {}
    for frame, picture in pictures.items():
        seen = teacher.predict(picture)
        boxes = seen.boxes[seen.scores >= 0.5]
        result[frame] = boxes[np.lexsort((boxes[:, 1], boxes[:, 0]))]
    return result


@pytest.mark.component
def test_a_fetched_clip_is_cached(tmp_path: Path) -> None:
    try:
        first = fetch_clip()
    except MissingError as error:
        pytest.skip(str(error))
    before = first.stat().st_mtime_ns
    assert fetch_clip().stat().st_mtime_ns == before
