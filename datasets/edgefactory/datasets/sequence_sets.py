"""Real sequences to try things on: two data sets out of a package, as class folders of tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.documents import Split
from edgefactory.datasets.fetching import Shipped, default_cache, shipped_together
from edgefactory.datasets.files import fresh_folder, write_file

SequenceSet = Literal["japanese-vowels", "basic-motions"]

_PACKAGE: Final = "aeon==1.6.0"
_WHEEL_SHA256: Final = "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"
_VAL: Final = 5  # one in so many of a class's training cases validates, the last ones
_MARKER: Final = "SOURCE.txt"


@dataclass(frozen=True, slots=True)
class _Set:
    """A data set of the UEA archive: its train and test files, and what must be said of it."""

    train: Shipped
    test: Shipped
    rate: float  # steps a second
    source: str


def _shipped(name: str, part: str, sha256: str) -> Shipped:
    member = f"aeon/datasets/data/{name}/{name}_{part}.ts"
    return Shipped(
        _PACKAGE, _WHEEL_SHA256, member, sha256, f"{name}-{part}-{sha256[:16]}.ts", "data set"
    )


_SETS: Final[dict[SequenceSet, _Set]] = {
    "japanese-vowels": _Set(
        _shipped(
            "JapaneseVowels",
            "TRAIN",
            "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
        ),
        _shipped(
            "JapaneseVowels",
            "TEST",
            "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
        ),
        156.25,  # a frame every 6.4 ms
        "Japanese Vowels (M. Kudo, J. Toyama, M. Shimbo 1999), UCI Machine Learning Repository, "
        "doi 10.24432/C5NS47. Nine men say /ae/; 12 LPC cepstrum coefficients a frame.",
    ),
    "basic-motions": _Set(
        _shipped(
            "BasicMotions",
            "TRAIN",
            "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6",
        ),
        _shipped(
            "BasicMotions",
            "TEST",
            "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc",
        ),
        10.0,
        "Basic Motions, UEA archive. Four students with a smart watch; accelerometer and "
        "gyroscope, three axes each.",
    ),
}


def sequence_rate(name: SequenceSet) -> float:
    """Steps a second of the data set `name`."""
    return _SETS[name].rate


def fetch_sequences(
    name: SequenceSet, folder: Path, cache: Path | None = None, wheel: Path | None = None
) -> Path:
    """Write the data set `name` to `folder` as {train,val,test}/CLASS/NNN.csv, and return `folder`.

    "japanese-vowels": 640 utterances of 7 to 29 steps and 12 features, by 9 speakers;
    "basic-motions": 80 recordings of 100 steps and 6 features, of 4 actions. The archive's own
    test part tests, the last fifth of each class's training cases validates. `data import
    sequences` takes the folder. `wheel` may be the package that holds them. Errors as
    `shipped_together`, and `StorageError`.
    """
    chosen = _SETS[name]
    train, test = shipped_together([chosen.train, chosen.test], cache or default_cache(), wheel)
    with fresh_folder(folder, _MARKER) as work:
        write_file(work / _MARKER, f"{chosen.source}\n".encode())
        cases = read_ts(train)
        sizes, seen = Counter(class_ for class_, _ in cases), Counter[str]()
        for number, (class_, values) in enumerate(cases):
            seen[class_] += 1
            late = seen[class_] > sizes[class_] - sizes[class_] // _VAL
            _write(work, "val" if late else "train", class_, number, values)
        for number, (class_, values) in enumerate(read_ts(test)):
            _write(work, "test", class_, number, values)
    return folder


def read_ts(content: bytes) -> list[tuple[str, NDArray[np.float64]]]:
    """The cases of a file of the archive, pinned by its digest: class, and features f64 [T,F].

    A line is a case: its dimensions with values by comma, then the class, all by colon.
    """
    lines = content.decode().partition("@data\n")[2].splitlines()
    cases = []
    for line in lines:
        *dimensions, class_ = line.split(":")
        rows = [[float(value) for value in dimension.split(",")] for dimension in dimensions]
        cases.append((class_, np.asarray(rows, np.float64).T))
    return cases


def _write(work: Path, split: Split, class_: str, number: int, values: NDArray[np.float64]) -> None:
    path = work / split / class_ / f"{number:03d}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(f"{v!r}" for v in row) + "\n" for row in values.tolist()))
