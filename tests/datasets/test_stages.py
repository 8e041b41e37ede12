"""Ingest, label, snapshot: the three stages on small real videos, and what they refuse."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.contract import encode
from edgefactory.datasets import (
    Clip,
    IngestSettings,
    Label,
    LabelSettings,
    SnapshotSettings,
    TrueBox,
    TrueFrame,
    Truth,
    build_snapshot,
    ingest,
    label,
    load_picture,
    read_footage,
    read_labels,
    read_snapshot,
    read_truth,
    snapshot_digest,
)
from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError, StorageError

MakeVideo = Callable[..., Path]


def settings_for(teacher: Path) -> LabelSettings:
    return LabelSettings(teacher=teacher, engine="onnxruntime", precision="f32", threads=1)


def truth_for(video: Path, folder: Path, frames: tuple[int, ...] = (30, 35)) -> Path:
    """A truth file for a 40-frame clip of 64x48 pixels, one box a frame."""
    box = TrueBox("person", (1.0, 2.0, 11.0, 22.0))
    truth = Truth(
        schema="truth/1",
        clip=Clip(video.name, hashlib.sha256(video.read_bytes()).hexdigest(), 40, 64, 48),
        how="drawn for a test",
        annotators=("ann", "bob"),
        classes=("person",),
        line=None,
        frames=tuple(TrueFrame(frame, (box,)) for frame in frames),
    )
    path = folder / "truth.json"
    path.write_bytes(encode(truth))
    return path


# --- ingest


def test_a_truth_of_other_things_than_persons_is_refused(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    clip = make_video(40)
    path = truth_for(clip, tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"person"', b'"face"'))
    with pytest.raises(InputError, match=r"names face; the line finds person.*import video"):
        ingest(IngestSettings(video=clip, truth=path), tmp_path / "footage")


def test_only_sampled_frames_are_kept(make_video: MakeVideo, tmp_path: Path) -> None:
    found = ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    assert (found.frames, found.train_end, found.held_out_start) == (40, 27, 29)
    assert [p.frame for p in found.pictures] == [*range(0, 27, 2), 29, 34, 39]
    assert {p.part for p in found.pictures if p.frame >= 29} == {"held_out"}
    assert read_footage(tmp_path / "footage") == found


def test_a_picture_is_the_frame_that_it_says(make_video: MakeVideo, tmp_path: Path) -> None:
    found = ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    for picture in found.pictures:
        with Image.open(tmp_path / "footage" / picture.file) as image:
            assert abs(float(np.asarray(image).mean()) - (20 + 5 * picture.frame)) < 3
        assert picture.seconds == pytest.approx(picture.frame / 10)


def test_truth_names_the_held_out_frames(make_video: MakeVideo, tmp_path: Path) -> None:
    video = make_video(40)
    settings = IngestSettings(video=video, truth=truth_for(video, tmp_path))
    found = ingest(settings, tmp_path / "footage")
    assert [p.frame for p in found.pictures if p.part == "held_out"] == [30, 35]
    assert found.truth_sha256 is not None


def test_truth_of_another_clip_or_of_training_frames_is_refused(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    video = make_video(40)
    early = truth_for(video, tmp_path, frames=(3,))
    with pytest.raises(InputError, match="where training may look"):
        ingest(IngestSettings(video=video, truth=early), tmp_path / "footage")
    other = make_video(41, "other.avi")
    with pytest.raises(InputError, match="is about the clip"):
        ingest(IngestSettings(video=other, truth=early), tmp_path / "footage")


def broken(folder: Path, content: bytes) -> Path:
    path = folder / "broken.avi"
    path.write_bytes(content)
    return path


def test_bad_videos_cost_one_line_and_leave_nothing(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(40).read_bytes()
    out = tmp_path / "footage"
    cases = {
        "is empty": broken(tmp_path, b""),
        "is not there": tmp_path / "none.avi",
        "is not a file": tmp_path,
    }
    for message, path in cases.items():
        with pytest.raises(EdgefactoryError, match=message):
            ingest(IngestSettings(video=path), out)
    for content in (
        b"hello world" * 100,
        whole[:600],
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"\0" * 9999,
    ):
        with pytest.raises(InputError) as caught:
            ingest(IngestSettings(video=broken(tmp_path, content)), out)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="too few"):
        ingest(IngestSettings(video=make_video(5, "short.avi")), out)
    assert not out.exists()
    assert not list(tmp_path.glob(".*partial"))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import wave

    with wave.open(str(tmp_path / "sound.avi"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 800)
    with pytest.raises(InputError):
        ingest(IngestSettings(video=tmp_path / "sound.avi"), tmp_path / "footage")


def test_a_folder_of_somebody_else_is_not_replaced(make_video: MakeVideo, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not replaced"):
        ingest(IngestSettings(video=make_video(40)), tmp_path / "home")
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


def test_a_second_run_replaces_the_first(make_video: MakeVideo, tmp_path: Path) -> None:
    first = ingest(IngestSettings(video=make_video(40), step=1), tmp_path / "footage")
    second = ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    files = {p.relative_to(tmp_path / "footage").as_posix() for p in tmp_path.glob("footage/*/*")}
    assert len(first.pictures) > len(second.pictures)
    assert files == {p.file for p in second.pictures}


def test_what_a_killed_run_left_is_removed(make_video: MakeVideo, tmp_path: Path) -> None:
    (tmp_path / ".footage.partial" / "pictures").mkdir(parents=True)
    (tmp_path / ".footage.partial" / "pictures" / "000001.jpg").write_bytes(b"cut off")
    ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    assert not (tmp_path / ".footage.partial").exists()
    assert not (tmp_path / "footage" / "pictures" / "000001.jpg").exists()


def test_a_full_disk_is_a_storage_error(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    video = make_video(40)
    monkeypatch.setattr("edgefactory.datasets.files.os.fdopen", full)
    with pytest.raises(StorageError, match="disk is full"):
        ingest(IngestSettings(video=video), tmp_path / "footage")
    assert not (tmp_path / "footage").exists()


def test_an_unwritable_place_is_a_storage_error(make_video: MakeVideo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        ingest(IngestSettings(video=make_video(40)), tmp_path / "file" / "footage")


def test_digits_stand_in_vouchers(tmp_path: Path) -> None:
    found = ingest(IngestSettings(source="digits"), tmp_path)
    assert found.classes == tuple("0123456789")
    voucher = found.vouchers[3]
    with Image.open(tmp_path / voucher.file) as image:
        strip = np.asarray(image)
    assert strip.shape == (32, 192, 3)
    for place, frame in enumerate(voucher.frames):
        (picture,) = [p for p in found.pictures if p.frame == frame]
        assert (picture.label, picture.group) == (voucher.digits[place], voucher.name)
        with Image.open(tmp_path / picture.file) as image:
            np.testing.assert_array_equal(np.asarray(image), strip[:, 32 * place : 32 * place + 32])


# --- label


def test_scores_decide_about_the_state(
    make_video: MakeVideo, tiny_teacher: Path, tmp_path: Path
) -> None:
    ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    seen: list[tuple[int, int]] = []
    found = label(
        settings_for(tiny_teacher),
        tmp_path / "footage",
        tmp_path / "labels",
        tmp_path / "scratch",
        lambda done, total, _text: seen.append((done, total)),
    )
    digest = hashlib.sha256(tiny_teacher.read_bytes()).hexdigest()
    accepted, queued = found.frames[0].labels  # the third box, of score 0.1, is dropped
    assert (accepted.state, accepted.score, accepted.origin) == (
        "accepted",
        0.9,
        f"teacher:{digest}",
    )
    assert (queued.state, queued.score) == ("queued", 0.3)
    drawn = found.frames[0].labels[0].box
    raw = label(
        replace(settings_for(tiny_teacher), tighten=False),
        tmp_path / "footage",
        tmp_path / "raw",
        tmp_path / "scratch",
    )
    assert raw.frames[0].labels[0].box == (6.4, 9.6, 19.2, 38.4)
    assert drawn is not None
    assert 6 <= drawn[0] < drawn[2] <= 20  # no larger than the teacher drew it, up to a pixel
    assert seen[-1] == (len(found.frames), len(found.frames))
    assert read_labels(tmp_path / "labels") == found


def test_held_out_frames_with_truth_are_not_labelled(
    make_video: MakeVideo, tiny_teacher: Path, tmp_path: Path
) -> None:
    video = make_video(40)
    ingest(IngestSettings(video=video, truth=truth_for(video, tmp_path)), tmp_path / "footage")
    found = label(
        settings_for(tiny_teacher), tmp_path / "footage", tmp_path / "labels", tmp_path / "scratch"
    )
    assert max(entry.frame for entry in found.frames) < 27


def test_an_interrupted_run_goes_on(
    make_video: MakeVideo, tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    arguments = (tmp_path / "footage", tmp_path / "labels", tmp_path / "scratch")

    def stop(done: int, _total: int, _text: str) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(settings_for(tiny_teacher), *arguments, stop)
    assert not (tmp_path / "labels").exists()
    (journal,) = (tmp_path / "scratch").iterdir()
    with journal.open("ab") as file:
        file.write(b'\n{"frame": 14, "labe')  # a kill in the middle of a line

    from edgefactory.datasets.teacher import TiledTeacher

    looked: list[object] = []
    real = TiledTeacher.predict

    def counted(self: TiledTeacher, picture: object) -> object:
        looked.append(picture)
        return real(self, picture)  # type: ignore[arg-type]  # a picture, as it is passed

    monkeypatch.setattr(TiledTeacher, "predict", counted)
    resumed = label(settings_for(tiny_teacher), *arguments)
    assert len(looked) == len(resumed.frames) - 7
    fresh = label(settings_for(tiny_teacher), *arguments[:2], tmp_path / "elsewhere")
    assert fresh == resumed


def test_other_parameters_do_not_reuse_the_journal(
    make_video: MakeVideo, tiny_teacher: Path, tmp_path: Path
) -> None:
    ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    arguments = (tmp_path / "footage", tmp_path / "labels", tmp_path / "scratch")
    label(settings_for(tiny_teacher), *arguments)
    found = label(
        LabelSettings(teacher=tiny_teacher, engine="onnxruntime", threads=1, accept=0.95),
        *arguments,
    )
    assert {entry.labels[0].state for entry in found.frames} == {"queued"}


def test_video_without_a_teacher_is_refused(make_video: MakeVideo, tmp_path: Path) -> None:
    ingest(IngestSettings(video=make_video(40)), tmp_path / "footage")
    with pytest.raises(InputError, match="needs a teacher"):
        label(LabelSettings(), tmp_path / "footage", tmp_path / "labels", tmp_path / "scratch")


# --- snapshot


@pytest.fixture
def line(make_video: MakeVideo, tiny_teacher: Path, tmp_path: Path) -> Callable[[bool], Path]:
    """Runs ingest and label in `tmp_path`, with or without truth, and returns `tmp_path`."""

    def run(with_truth: bool) -> Path:
        video = make_video(40)
        truth = truth_for(video, tmp_path) if with_truth else None
        ingest(IngestSettings(video=video, truth=truth, step=1), tmp_path / "footage")
        label(
            settings_for(tiny_teacher),
            tmp_path / "footage",
            tmp_path / "labels",
            tmp_path / "scratch",
        )
        return tmp_path

    return run


def test_splits_are_by_time_with_gaps(line: Callable[[bool], Path]) -> None:
    folder = line(False)
    settings = SnapshotSettings(val_share=0.2, val_gap_share=0.1)
    found = build_snapshot(settings, folder / "footage", folder / "labels", folder / "snapshot")
    frames = {name: [i.frame for i in found.split(name)] for name in ("train", "val", "test")}
    assert frames == {"train": [*range(19)], "val": [*range(22, 27)], "test": [29, 34, 39]}
    assert found.test_labels == "teacher"
    assert read_snapshot(folder / "snapshot") == found


def test_truth_makes_the_test_split(line: Callable[[bool], Path]) -> None:
    folder = line(True)
    settings = SnapshotSettings(truth=folder / "truth.json")
    found = build_snapshot(settings, folder / "footage", folder / "labels", folder / "snapshot")
    assert found.test_labels == "human"
    expected = Label("person", (1.0, 2.0, 11.0, 22.0), "human:ann+bob", 1.0, "reviewed")
    assert [(i.frame, i.labels) for i in found.split("test")] == [
        (30, (expected,)),
        (35, (expected,)),
    ]


def test_pictures_are_named_by_their_content(line: Callable[[bool], Path]) -> None:
    folder = line(False)
    out = folder / "snapshot"
    found = build_snapshot(SnapshotSettings(), folder / "footage", folder / "labels", out)
    assert snapshot_digest(out) == hashlib.sha256((out / "manifest.jsonl").read_bytes()).hexdigest()
    item = found.items[0]
    assert hashlib.sha256((out / item.file).read_bytes()).hexdigest() == item.id
    assert load_picture(out, item).shape == (48, 64, 3)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, "JPEG")
    (out / item.file).write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="other bytes"):
        load_picture(out, item)
    (out / item.file).unlink()
    with pytest.raises(MissingError):
        read_snapshot(out)


def test_the_same_input_gives_the_same_snapshot(line: Callable[[bool], Path]) -> None:
    folder = line(False)
    for name in ("a", "b"):
        build_snapshot(SnapshotSettings(), folder / "footage", folder / "labels", folder / name)
    assert snapshot_digest(folder / "a") == snapshot_digest(folder / "b")


def test_identical_pictures_are_kept_once_for_the_test(
    make_video: MakeVideo, line: Callable[[bool], Path]
) -> None:
    folder = line(False)
    pictures = folder / "footage" / "pictures"
    (pictures / "000003.jpg").write_bytes((pictures / "000034.jpg").read_bytes())
    out = folder / "snapshot"
    found = build_snapshot(SnapshotSettings(), folder / "footage", folder / "labels", out)
    frames = [item.frame for item in found.items]
    assert 34 in frames
    assert 3 not in frames


def test_labels_of_other_footage_are_refused(
    line: Callable[[bool], Path], make_video: MakeVideo
) -> None:
    folder = line(False)
    ingest(IngestSettings(video=make_video(45)), folder / "footage")
    with pytest.raises(InputError, match="other footage"):
        build_snapshot(SnapshotSettings(), folder / "footage", folder / "labels", folder / "out")


def test_an_unknown_key_is_named(line: Callable[[bool], Path]) -> None:
    folder = line(False)
    build_snapshot(SnapshotSettings(), folder / "footage", folder / "labels", folder / "snapshot")
    manifest = folder / "snapshot" / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b'"name"', b'"nickname":"x","name"', 1))
    with pytest.raises(InputError, match=r"manifest\.jsonl.*nickname"):
        read_snapshot(folder / "snapshot")


def test_a_file_name_cannot_leave_the_snapshot(line: Callable[[bool], Path]) -> None:
    folder = line(False)
    build_snapshot(SnapshotSettings(), folder / "footage", folder / "labels", folder / "snapshot")
    manifest = folder / "snapshot" / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b'"images/', b'"../', 1))
    with pytest.raises(InputError):
        read_snapshot(folder / "snapshot")


def test_digits_become_a_snapshot(tmp_path: Path) -> None:
    ingest(IngestSettings(source="digits"), tmp_path / "footage")
    label(LabelSettings(), tmp_path / "footage", tmp_path / "labels", tmp_path / "scratch")
    settings = SnapshotSettings(name="digits")
    found = build_snapshot(settings, tmp_path / "footage", tmp_path / "labels", tmp_path / "out")
    assert (found.task, found.test_labels) == ("classification", "imported")
    assert [len(found.split(name)) for name in ("train", "val", "test")] == [1087, 122, 528]
    assert found.split("test")[0].source == "voucher-0001"
    assert found.items[0].labels[0].origin == "imported:scikit-learn-digits"


def test_truth_is_checked(make_video: MakeVideo, tmp_path: Path) -> None:
    path = truth_for(make_video(40), tmp_path)
    path.write_bytes(path.read_bytes().replace(b"11.0", b"99.0"))
    with pytest.raises(InputError, match="inside of 64x48"):
        read_truth(path)
    with pytest.raises(InputError, match="twice"):
        read_truth(truth_for(make_video(40), tmp_path, frames=(31, 31)))
