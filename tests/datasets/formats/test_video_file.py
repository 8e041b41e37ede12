"""A video becomes a snapshot of its sampled frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.contract.codec import encode
from edgefactory.datasets import Clip, TrueBox, TrueFrame, Truth, read_snapshot
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


def annotated(clip: Path, frames: tuple[int, ...], count: int = 40) -> Path:
    """A truth file about that clip: a face on each of these frames but the first."""
    box = TrueBox("face", (1.0, 2.0, 11.5, 22.0))
    truth = Truth(
        schema="truth/1",
        clip=Clip(clip.name, hashlib.sha256(clip.read_bytes()).hexdigest(), count, 64, 48),
        how="drawn for a test",
        annotators=("ann", "bob"),
        classes=("face",),
        line=None,
        frames=tuple(TrueFrame(n, (box,) if n != frames[0] else ()) for n in frames),
    )
    path = clip.with_name("truth.json")
    path.write_bytes(encode(truth))
    return path


def test_annotated_frames_test_and_what_lies_before_them_trains(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    clip, frames = make_video(frames=40), (30, 33, 34)
    done = import_video(
        clip,
        tmp_path / "out",
        ImportSettings(),
        SamplingSettings(step=2),
        truth=annotated(clip, frames),
    )
    snapshot = read_snapshot(tmp_path / "out")
    found = {s: [i.frame for i in snapshot.items if i.split == s] for s in ("train", "val", "test")}
    # a gap of 1 before 30, of the 29 frames before it the last tenth, and a gap of 1 before that
    assert found == {"train": [*range(0, 25, 2)], "val": [26, 28], "test": [30, 33, 34]}
    assert (snapshot.classes, snapshot.test_labels) == (("face",), "human")
    assert (
        snapshot.truth_sha256 == hashlib.sha256((tmp_path / "truth.json").read_bytes()).hexdigest()
    )
    assert done.header.truth_sha256 == snapshot.truth_sha256
    assert all(item.reviewed == (item.split == "test") for item in snapshot.items)
    empty, full, _ = snapshot.split("test")
    assert empty.labels == ()
    (label,) = full.labels
    assert (label.box, label.origin, label.state) == (
        (1.0, 2.0, 11.5, 22.0),
        "human:ann+bob",
        "reviewed",
    )


def test_a_truth_that_does_not_fit_is_refused(tmp_path: Path, make_video: MakeVideo) -> None:
    def refused(truth: Path, match: str, settings: ImportSettings | None = None) -> None:
        chosen = settings or ImportSettings()
        with pytest.raises(InputError, match=match):
            import_video(clip, tmp_path / "out", chosen, SamplingSettings(), truth=truth)
        assert not (tmp_path / "out").exists()

    clip = make_video(frames=40)
    refused(annotated(clip, (3, 30)), "no frames to learn from before the first annotated one")
    refused(annotated(clip, (30, 50), count=60), "has no frame 50")
    refused(annotated(clip, (30,)), "'face'.*not in --classes", ImportSettings(classes=("cat",)))
    refused(annotated(clip, (30,)), "holds boxes", ImportSettings(task="classification"))
    other = annotated(make_video(frames=39, name="other.avi"), (30,), count=39)
    refused(other, "is about the clip")
