"""Recordings of sound and features over time as snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.contract import Audio, Features, audio_picture, features_picture
from edgefactory.datasets import Snapshot, load_picture, read_snapshot
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.formats import (
    FORMS,
    Imported,
    ImportSettings,
    SequenceSettings,
    export_data_set,
    import_data_set,
    import_sequences,
    read_signal,
)
from edgefactory.datasets.formats.sequences import default_audio
from edgefactory.datasets.sound import read_sound

from ..recordings import noise, tone, write_csv, write_wav

PLAIN = ImportSettings()


def steps(count: int, features: int = 2, offset: float = 0.0) -> np.ndarray[Any, np.dtype[Any]]:
    """Rows that all differ: feature f of step t is t + 100 f + `offset`."""
    return np.arange(count)[:, None] + 100.0 * np.arange(features) + offset


def taken(root: Path, settings: ImportSettings = PLAIN, **how: Any) -> tuple[Imported, Snapshot]:
    done = import_sequences(root, root.parent / "out", settings, SequenceSettings(**how))
    return done, read_snapshot(root.parent / "out")


def pixels(folder: Path, snapshot: Snapshot, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return load_picture(folder, snapshot.items[index])


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Three recordings: 48, 98 and 250 steps of sound."""
    write_wav(tmp_path / "in/no/a.wav", tone(500, 0.495))
    write_wav(tmp_path / "in/no/b.wav", noise(0.995))
    write_wav(tmp_path / "in/yes/a.wav", noise(2.515, seed=1))
    return tmp_path / "in"


def test_sound_becomes_spectrograms(tmp_path: Path, spoken: Path) -> None:
    done, snapshot = taken(spoken, steps=98, hop=70)
    assert (snapshot.name, snapshot.task, snapshot.classes) == (
        "in",
        "classification",
        ("no", "yes"),
    )
    signal = Audio(16000, 400, 160, 40, 20.0, 8000.0, -80.0, 98)
    assert snapshot.signal == signal == default_audio(16000, 98)
    assert [
        (i.name, i.source, i.frame, i.captured_at, i.width, i.height) for i in snapshot.items
    ] == [
        ("train/no/a.wav/0.png", "no/a.wav", 0, 0.0, 98, 40),
        ("train/no/b.wav/0.png", "no/b.wav", 0, 0.0, 98, 40),
        ("train/yes/a.wav/0.png", "yes/a.wav", 0, 0.0, 98, 40),
        ("train/yes/a.wav/70.png", "yes/a.wav", 70, 0.7, 98, 40),
        ("train/yes/a.wav/140.png", "yes/a.wav", 140, 1.4, 98, 40),
    ]
    assert {item.labels[0].origin for item in snapshot.items} == {"imported:sequences"}
    assert done.counts == {"recordings filled up": 1, "steps at ends left out": 12}
    samples = read_sound(spoken / "yes/a.wav", 16000).samples
    expected = audio_picture(samples[70 * 160 :][: signal.samples], signal)
    assert np.array_equal(pixels(tmp_path / "out", snapshot, 3), expected)
    assert not pixels(tmp_path / "out", snapshot, 0)[:, 52:].any()


def test_features_become_rows(tmp_path: Path) -> None:
    for number, class_ in enumerate(("run", "sit")):
        write_csv(tmp_path / f"in/{class_}/{number}.csv", steps(6 + number, offset=number))
    _, snapshot = taken(tmp_path / "in", rate=10)
    signal = snapshot.signal
    assert isinstance(signal, Features)
    assert (signal.rate, signal.steps, signal.rows) == (10.0, 7, 2)
    assert [(i.width, i.height, i.captured_at) for i in snapshot.items] == [(7, 2, 0.0)] * 2
    expected = features_picture(steps(7, offset=1).astype(np.float32), signal)
    assert np.array_equal(pixels(tmp_path / "out", snapshot, 1), expected)
    assert 0 < expected.min() < expected.max() < 255  # there is room on both sides


def test_ranges_are_those_of_the_training_data(tmp_path: Path) -> None:
    for part, offset in (("train", 0), ("val", 3), ("test", -3)):
        for class_ in ("a", "b"):
            rows = steps(4, offset=offset + 10 * (class_ == "b"))
            write_csv(tmp_path / f"in/{part}/{class_}/x.csv", rows)
    _, snapshot = taken(tmp_path / "in")
    assert isinstance(snapshot.signal, Features)
    assert snapshot.signal.low == pytest.approx((-1.3, 98.7), abs=0.2)
    assert snapshot.signal.high == pytest.approx((14.3, 114.3), abs=0.2)
    assert [item.split for item in snapshot.items] == [
        "test",
        "test",
        "train",
        "train",
        "val",
        "val",
    ]


def test_the_longest_recording_is_the_picture_unless_it_is_very_long(
    tmp_path: Path, spoken: Path
) -> None:
    _, snapshot = taken(spoken)
    assert snapshot.signal is not None
    assert snapshot.signal.steps == 250
    write_csv(tmp_path / "long/a/x.csv", steps(1001))
    with pytest.raises(InputError, match="longest recording has 1001 steps; say with --steps"):
        taken(tmp_path / "long")
    assert len(taken(tmp_path / "long", steps=500)[1].items) == 2


def test_another_snapshots_signal_makes_pictures_that_fit_it(tmp_path: Path, spoken: Path) -> None:
    import_sequences(spoken, tmp_path / "first", PLAIN, SequenceSettings(steps=40))
    new = write_wav(tmp_path / "new/yes/c.wav", noise(1, seed=5)).parents[1]
    _, snapshot = taken(new, signal=read_signal(tmp_path / "first"))
    assert snapshot.signal == read_snapshot(tmp_path / "first").signal
    assert len(snapshot.items) == 2


def test_mixing_and_resampling_are_told(tmp_path: Path) -> None:
    both = np.stack([tone(440, rate=44100), noise(rate=44100)], axis=1)
    write_wav(tmp_path / "in/a/x.wav", both, 44100)
    write_wav(tmp_path / "in/b/y.wav", noise())
    done, _ = taken(tmp_path / "in")
    assert done.counts["recordings mixed to one channel"] == 1
    assert done.counts["recordings resampled"] == 1


def test_a_persons_classes(tmp_path: Path, spoken: Path) -> None:
    _, snapshot = taken(spoken, ImportSettings(annotator="ann", classes=("yes", "no", "maybe")))
    assert (snapshot.classes, snapshot.test_labels) == (("yes", "no", "maybe"), "human")
    assert {(i.labels[0].origin, i.labels[0].state, i.reviewed) for i in snapshot.items} == {
        ("human:ann", "reviewed", True)
    }


def test_a_feature_that_never_changes_is_told(tmp_path: Path) -> None:
    rows = steps(5)
    rows[:, 1] = 3
    write_csv(tmp_path / "in/a/x.csv", rows)
    done, _ = taken(tmp_path / "in")
    assert done.counts["features that never change"] == 1


def test_the_same_picture_twice_is_kept_once_unless_its_class_differs(tmp_path: Path) -> None:
    for name in ("a/x", "a/y"):
        write_csv(tmp_path / f"in/{name}.csv", steps(5))
    done, snapshot = taken(tmp_path / "in")
    assert (len(snapshot.items), done.counts) == (1, {"pictures there twice": 1})
    write_csv(tmp_path / "in/b/z.csv", steps(5))
    with pytest.raises(InputError, match=r"b/z\.csv from step 0 on makes the same .*a/x\.csv"):
        taken(tmp_path / "in")
    done, snapshot = taken(tmp_path / "in", ImportSettings(drop_bad=True))
    assert done.counts["pictures there twice left out"] == 1
    assert len(snapshot.items) == 1


def test_what_cannot_be_used_may_be_left_out(tmp_path: Path, spoken: Path) -> None:
    (spoken / "yes/bad.wav").write_bytes(b"text")
    with pytest.raises(InputError, match=r"recording .*bad\.wav cannot be decoded"):
        taken(spoken)
    assert not (tmp_path / "out").exists()
    done, snapshot = taken(spoken, ImportSettings(drop_bad=True))
    assert done.counts["recordings that cannot be used left out"] == 1
    assert len(snapshot.items) == 3


def test_class_folders_keep_how_pictures_were_made(tmp_path: Path, spoken: Path) -> None:
    _, before = taken(spoken, steps=50)
    told = export_data_set(("folders", FORMS["folders"]), tmp_path / "out", tmp_path / "for-others")
    assert "how sequences became pictures" not in told.lost
    import_data_set(FORMS["folders"], tmp_path / "for-others", tmp_path / "back")
    after = read_snapshot(tmp_path / "back")
    assert after.signal == before.signal
    assert {i.id for i in after.items} == {i.id for i in before.items}
    told = export_data_set(("pictures", FORMS["pictures"]), tmp_path / "out", tmp_path / "bare")
    assert told.lost["how sequences became pictures"] == 1


CSV = steps(4)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a/x.csv": CSV, "b": None}, r"in/b holds no recordings; put some there, or remove it"),
        ({"train/a/x.csv": CSV, "test/a": None}, r"test/a holds no recordings"),
        ({"a/x.csv": CSV, "a/y.wav": None}, r"x\.csv and .*y\.wav are of different kinds; expect"),
        ({"a/x.csv": CSV, "a/y.npy": CSV}, r"x\.csv and .*y\.npy are of different kinds"),
        ({"x.csv": CSV}, r"x\.csv lies in no class folder; expected CLASS/file"),
        (
            {"a/x.csv": CSV, "b/y.csv": steps(4, 3)},
            r"y\.csv has 3 features; expected 2, as .*x\.csv",
        ),
        ({"a/x.csv": CSV * np.nan}, r"x\.csv: feature 0 of step 0 is nan"),
        ({"a/x.csv": CSV, "a/y.csv": CSV + np.inf}, r"y\.csv: feature 0 of step 0 is inf"),
        ({"test/a/x.csv": CSV}, "nothing of it is in train"),
    ],
)
def test_what_does_not_belong_is_one_line(tmp_path: Path, files: dict[str, Any], says: str) -> None:
    for name, rows in files.items():
        path = tmp_path / "in" / name
        if rows is None and not path.suffix:
            path.mkdir(parents=True)
        elif rows is None:
            write_wav(path, noise())
        elif path.suffix == ".npy":
            np.save(path, rows)
        else:
            write_csv(path, rows)
    with pytest.raises(InputError, match=says) as caught:
        taken(tmp_path / "in")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "in/a/x.csv", CSV, "left,right")
    write_csv(tmp_path / "in/a/y.csv", CSV + 1, "right,left")
    with pytest.raises(
        InputError, match=r"y\.csv has the columns right, left; expected left, right"
    ):
        taken(tmp_path / "in")


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "in/a").mkdir(parents=True)
    (tmp_path / "in/a/notes.txt").write_text("none")
    with pytest.raises(MissingError, match="holds no recordings in class folders; expected CLASS"):
        taken(tmp_path / "in")
    with pytest.raises(MissingError, match="is no folder of class folders"):
        taken(tmp_path / "none")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"steps": 0}, "steps is 0; expected 1 to 16384"),
        ({"steps": 20000}, "steps is 20000; expected 1 to 16384"),
        ({"hop": -1}, "hop is -1; expected 1 to 16384"),
        ({"rate": 0}, "the rate is 0 a second"),
        ({"rate": 11025.5}, "the rate of sound is 11025.5 Hz; expected whole ones"),
        ({"rate": 1000}, "1000 Hz needs other bands .*holds no frequency.*--signal FILE"),
        ({"signal": Features(1.0, (0.0,), (1.0,), 5)}, "the signal is for features"),
        ({"signal": default_audio(16000, 5), "steps": 9}, "the signal says steps and rate"),
    ],
)
def test_settings_that_cannot_be(spoken: Path, how: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        taken(spoken, **how)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"kind": "audio"}', "does not say how sequences become pictures: .*rate"),
        ("[]", "does not say"),
        ('{"kind":"features","rate":1,"low":[1],"high":[0],"steps":1}', "expected low < high"),
    ],
)
def test_a_signal_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=says):
        read_signal(tmp_path / "s.json")


def test_features_that_the_signal_does_not_know(tmp_path: Path) -> None:
    write_csv(tmp_path / "in/a/x.csv", steps(4, 3))
    with pytest.raises(InputError, match=r"x\.csv has 3 features; expected 1"):
        taken(tmp_path / "in", signal=Features(1.0, (0.0,), (1.0,), 5))
