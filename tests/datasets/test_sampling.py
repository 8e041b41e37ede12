"""Which frames of a video are kept, on real small videos."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.sampling import SamplingSettings, sample

Pixels = NDArray[np.uint8]
RATE = 10


def write(path: Path, frames: Sequence[Pixels]) -> Path:
    """An MPEG-4 video of 10 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 8_000_000
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def scene(colour: tuple[int, int, int], square: int | None = None) -> Pixels:
    """A plain picture of 128x96, perhaps with a white square of 24 pixels at x = `square`."""
    pixels = np.full((96, 128, 3), colour, np.uint8)
    if square is not None:
        pixels[40:64, square : square + 24] = 255
    return pixels


def kept(path: Path, settings: SamplingSettings) -> list[int]:
    return [frame.index for frame in sample(path, settings)]


def test_every_so_many_frames(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.avi", [scene((40, 40, 40))] * 10)
    assert kept(clip, SamplingSettings(step=4)) == [0, 4, 8]


@pytest.mark.parametrize(("seconds", "frames"), [(1.0, [0, 10, 20]), (0.25, [0, 3, 5, 8, 10])])
def test_by_time(tmp_path: Path, seconds: float, frames: list[int]) -> None:
    clip = write(tmp_path / "a.avi", [scene((40, 40, 40))] * 25)
    found = kept(clip, SamplingSettings(by="time", seconds=seconds))
    assert found[: len(frames)] == frames


def test_by_motion_a_still_camera_keeps_what_moves(tmp_path: Path) -> None:
    still = [scene((60, 60, 60))] * 10
    moving = [scene((60, 60, 60), x) for x in range(0, 100, 10)]
    clip = write(tmp_path / "a.avi", [*still, *moving, *[moving[-1]] * 10])
    found = kept(clip, SamplingSettings(by="motion", seconds=0))
    assert found[0] == 0
    assert found[1:]
    assert all(10 <= index < 20 for index in found[1:])


def test_by_motion_at_most_one_every_so_many_seconds(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.avi", [scene((60, 60, 60), x) for x in range(0, 100, 5)])
    assert kept(clip, SamplingSettings(by="motion", seconds=0.5)) == [0, 5, 10, 15]


def test_by_scene_the_first_frame_after_each_cut(tmp_path: Path) -> None:
    colours = [(200, 30, 30)] * 7 + [(30, 200, 30)] * 5 + [(30, 30, 200)] * 6
    clip = write(tmp_path / "a.avi", [scene(colour) for colour in colours])
    assert kept(clip, SamplingSettings(by="scene")) == [0, 7, 12]


def test_by_scene_what_only_moves_is_no_cut(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.avi", [scene((60, 60, 60), x) for x in range(0, 100, 5)])
    assert kept(clip, SamplingSettings(by="scene")) == [0]


def test_the_pixels_are_those_of_the_frame(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.avi", [scene((60, 60, 60)), scene((180, 180, 180))])
    first, second = sample(clip, SamplingSettings())
    assert first.pixels.shape == (96, 128, 3)
    assert abs(float(first.pixels.mean()) - 60) < 3
    assert abs(float(second.pixels.mean()) - 180) < 3
    assert second.seconds == pytest.approx(0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "luck"},
        {"step": 0},
        {"by": "time", "seconds": 0.0},
        {"seconds": float("nan")},
        {"by": "motion", "threshold": 0.0},
        {"by": "scene", "threshold": 1.5},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="sampling"):
        SamplingSettings(**wrong)  # type: ignore[arg-type]  # that is the point


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"a\.avi"):
        kept(tmp_path / "a.avi", SamplingSettings())
    with pytest.raises(MissingError, match=r"none\.avi"):
        kept(tmp_path / "none.avi", SamplingSettings())
