"""A video becomes a snapshot of its sampled frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgefactory.datasets import read_snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats import ImportSettings, import_video
from edgefactory.datasets.sampling import SamplingSettings

MakeVideo = Callable[..., Path]


def test_frames_carry_their_number_and_time(tmp_path: Path, make_video: MakeVideo) -> None:
    said: list[tuple[int, int, str]] = []
    done = import_video(
        make_video(frames=30),
        tmp_path / "out",
        ImportSettings(classes=("person",)),
        SamplingSettings(by="step", step=10),
        lambda *progress: said.append(progress),
    )
    snapshot = read_snapshot(tmp_path / "out")
    assert (snapshot.name, snapshot.classes, done.pictures) == ("clip", ("person",), 3)
    assert [(i.frame, i.captured_at, i.source, i.split) for i in snapshot.items] == [
        (0, 0.0, "clip.avi", "train"),
        (10, 1.0, "clip.avi", "train"),
        (20, 2.0, "clip.avi", "train"),
    ]
    assert said[-1] == (3, 0, "3 frames")


def test_a_video_that_is_none_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "clip.avi").write_bytes(b"RIFF....AVI not really")
    with pytest.raises(InputError, match=r"clip\.avi"):
        import_video(tmp_path / "clip.avi", tmp_path / "out", ImportSettings(), SamplingSettings())
    assert [path.name for path in tmp_path.iterdir()] == ["clip.avi"]
