"""The data sets of sequences: read, laid out, and as pictures that still tell the classes apart."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgefactory.datasets import (
    fetch_sequences,
    load_picture,
    read_snapshot,
    sequence_rate,
)
from edgefactory.datasets.documents import Split
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats import ImportSettings, SequenceSettings, import_sequences
from edgefactory.datasets.sequence_sets import read_ts


def test_a_case_is_its_dimensions_and_its_class() -> None:
    text = b"#about\n@problemName x\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n0.5:-1e-3:b\n"
    cases = read_ts(text)
    assert [(class_, values.tolist()) for class_, values in cases] == [
        ("a", [[1, 4], [2, 5], [3, 6]]),
        ("b", [[0.5, -1e-3]]),
    ]


def test_another_package_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in ("TRAIN", "TEST"):
            archive.writestr(f"aeon/datasets/data/BasicMotions/BasicMotions_{part}.ts", "@data\n")
    (tmp_path / "x.whl").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match=r"BasicMotions_TRAIN\.ts has the SHA-256"):
        fetch_sequences("basic-motions", tmp_path / "out", tmp_path, tmp_path / "x.whl")
    assert not (tmp_path / "out").exists()


@pytest.mark.component
def test_the_vowels_of_nine_speakers_are_still_told_apart_as_pictures(tmp_path: Path) -> None:
    """The nearest picture of the training data has the right speaker far more often than chance."""
    folder = fetch_sequences("japanese-vowels", tmp_path / "vowels")
    rate = sequence_rate("japanese-vowels")
    done = import_sequences(folder, tmp_path / "out", ImportSettings(), SequenceSettings(rate=rate))
    snapshot = read_snapshot(tmp_path / "out")
    counts = {name: len(snapshot.split(name)) for name in ("train", "val", "test")}
    assert counts == {"train": 216, "val": 54, "test": 370}
    assert done.counts == {"recordings filled up": 639}
    assert {(item.width, item.height) for item in snapshot.items} == {(29, 12)}

    def pixels(split: Split) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        found = [load_picture(tmp_path / "out", item)[:, :, 0] for item in snapshot.split(split)]
        return np.stack(found).reshape(len(found), -1).astype(np.float32)

    known, asked = pixels("train"), pixels("test")
    apart = ((asked[:, None] - known[None]) ** 2).sum(axis=2)
    nearest = [snapshot.split("train")[int(i)].labels[0].class_ for i in apart.argmin(axis=1)]
    said = [item.labels[0].class_ for item in snapshot.split("test")]
    assert np.mean([one == other for one, other in zip(nearest, said, strict=True)]) > 0.8


@pytest.mark.component
def test_the_motions_are_four_of_ten_seconds(tmp_path: Path) -> None:
    folder = fetch_sequences("basic-motions", tmp_path / "motions")
    assert {path.name for path in (folder / "val").iterdir()} == {
        *("Badminton", "Running", "Standing", "Walking"),
    }
    rate = sequence_rate("basic-motions")
    import_sequences(folder, tmp_path / "out", ImportSettings(), SequenceSettings(rate=rate))
    snapshot = read_snapshot(tmp_path / "out")
    assert snapshot.signal is not None
    assert (snapshot.signal.steps, snapshot.signal.rows, snapshot.signal.seconds) == (100, 6, 10.0)
    assert len(snapshot.items) == 80
    assert fetch_sequences("basic-motions", tmp_path / "motions") == folder  # once more is no error
