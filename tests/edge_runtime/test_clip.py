"""The annotated clip and the heat map, looked at again."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from edge_runtime.streams import Frame, HeatMap, Line, TrackView
from edge_runtime.streams.clip import Marks, liveliest, write_clip
from edge_runtime.streams.heatmap import blur


def view(x: float, y: float) -> TrackView:
    """A confirmed track whose foot stands at (x, y)."""
    return TrackView(1, (x - 10, y - 40, x + 10, y), (x, y), 0.9, True)


@pytest.mark.component
def test_a_clip_plays_and_shows_line_boxes_and_counts(tmp_path: Path) -> None:
    grey = np.full((121, 161, 3), 90, np.uint8)

    def frames() -> Iterator[Frame]:
        for index in range(100, 120):
            yield Frame(index, index / 10, grey)

    marks = [Marks(i, (view(30 + 4 * (i - 100), 100),), (i - 100, 0)) for i in range(100, 120)]
    path = tmp_path / "annotated.mp4"
    write_clip(path, frames(), marks, Line((80, 0), (80, 120)), 10)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) in {
            ("libvpx-vp9", 160, 120),
            ("vp9", 160, 120),
        }
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert float(stream.average_rate or 0) == 10
    assert len(pictures) == 20
    changed = np.abs(pictures[-1].astype(int) - 90).max(axis=2) > 40
    assert changed[:, 78:83].mean() > 0.5  # the line
    assert changed[60, 95:120].any()  # the box
    assert changed[8:38, 8:60].mean() > 0.5  # the counter
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")  # plays at once


@pytest.mark.parametrize(
    ("crossings", "expected"),
    [
        ([], (560, 679)),
        ([700, 705, 710], (690, 809)),
        ([600, 900, 910], (840, 959)),
        ([565], (560, 679)),
    ],
)
def test_the_liveliest_span_is_shown(crossings: list[int], expected: tuple[int, int]) -> None:
    assert liveliest(range(560, 960), crossings, 120) == expected


def test_a_short_run_is_shown_whole() -> None:
    assert liveliest(range(5, 50), [20], 120) == (5, 49)


def test_blur_keeps_the_sum_and_spreads_evenly() -> None:
    point = np.zeros((101, 81), np.float32)
    point[50, 40] = 1
    smooth = blur(point, 4)
    assert smooth.shape == point.shape
    assert smooth.sum() == pytest.approx(1, abs=1e-4)
    assert smooth[50, 40] == smooth.max()
    assert smooth[50, 44] == pytest.approx(smooth[54, 40], rel=1e-4)
    assert smooth[50, 44] / smooth[50, 40] == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_the_map_is_hot_where_people_stood_and_they_have_vanished() -> None:
    heat = HeatMap(160, 120)
    for index in range(60):
        picture = np.full((120, 160, 3), 100, np.uint8)
        picture[20:40, (index * 5) % 150 : (index * 5) % 150 + 10] = 255  # somebody passes
        heat.step(picture, [view(120, 90)])
    with Image.open(io.BytesIO(heat.png())) as image:
        pixels = np.asarray(image).astype(int)
    assert pixels.shape == (120, 160, 3)
    assert (np.abs(pixels[20:40, :60] - 100) <= 1).all()  # the empty scene, where nobody stood
    assert pixels[90, 120, 0] > pixels[90, 20, 0] + 60
