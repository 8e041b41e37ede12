"""The files of an import of sequences: which there are, of which kind, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.formats.filing import Filed, class_folders, filed
from edgefactory.datasets.formats.foreign import Tally
from edgefactory.datasets.formats.names import files_under
from edgefactory.datasets.series import read_series
from edgefactory.datasets.sound import read_sound

Kind = Literal["sound", ".npy", ".csv"]
Values = NDArray[np.float32]

_KINDS: Final[Mapping[str, Kind]] = {
    ".wav": "sound",
    ".flac": "sound",
    ".mp3": "sound",
    ".ogg": "sound",
    ".npy": ".npy",
    ".csv": ".csv",
}
_EXPECTED: Final = (
    "expected CLASS/file or train/CLASS/file, all .wav, .flac, .mp3 or .ogg, or all .npy, or all "
    ".csv"
)


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recordings of a folder, all of one kind."""

    kind: Kind
    files: tuple[Filed, ...]


def recordings(root: Path) -> Recordings:
    """The recordings in the class folders of `root`, in a fixed order.

    Raises `MissingError` when there are none, `InputError` for a class folder without any and for
    files of several kinds.
    """
    files = filed(root, _recordings_under, _EXPECTED)
    if not files:
        raise MissingError(f"{root} holds no recordings in class folders; {_EXPECTED}")
    kind = _kind(files[0].path)
    for file in files:
        if _kind(file.path) != kind:
            raise InputError(f"{files[0].path} and {file.path} are of different kinds; {_EXPECTED}")
    used = {(file.split, file.class_) for file in files}
    for folder, split, class_ in class_folders(root):
        if (split, class_) not in used:
            raise InputError(f"{folder} holds no recordings; put some there, or remove it")
    return Recordings(kind, tuple(files))


class Reader:
    """Reads recordings. One that cannot be used stops the import, or is left out and counted."""

    def __init__(self, kind: Kind, tally: Tally, features: int | None = None) -> None:
        """`features` is how many a step must have; None: as many as in the first file."""
        self._kind, self._tally, self._features = kind, tally, features
        self._first: Path | None = None
        self._named: tuple[Path, tuple[str, ...]] | None = None  # the first that names its columns
        self._bad: set[Path] = set()
        self._mixed: set[Path] = set()
        self._resampled: set[Path] = set()

    def read(self, path: Path, rate: int) -> Values | None:
        """Sound as f32 [S] at `rate` samples a second, features as f32 [T,F]; None: left out."""
        if path in self._bad:
            return None
        try:
            return self._sound(path, rate) if self._kind == "sound" else self._series(path)
        except (InputError, MissingError) as error:
            self._bad.add(path)
            self._tally.bad("recordings that cannot be used", error)
            return None

    def tell(self) -> None:
        """Count what was done to recordings that were read."""
        self._tally.counts["recordings mixed to one channel"] += len(self._mixed)
        self._tally.counts["recordings resampled"] += len(self._resampled)

    def _sound(self, path: Path, rate: int) -> Values:
        sound = read_sound(path, rate)
        if sound.channels > 1:
            self._mixed.add(path)
        if sound.rate != rate:
            self._resampled.add(path)
        return sound.samples

    def _series(self, path: Path) -> Values:
        series = read_series(path)
        features = series.values.shape[1]
        if self._features is None:
            self._features, self._first = features, path
        if features != self._features:
            like = f", as {self._first} has" if self._first else ""
            raise InputError(
                f"series {path} has {features} features; expected {self._features}{like}"
            )
        if series.columns is not None:
            self._named = self._named or (path, series.columns)
            first, names = self._named
            if series.columns != names:
                raise InputError(
                    f"series {path} has the columns {', '.join(series.columns)[:100]}; expected "
                    f"{', '.join(names)[:100]}, as {first} has"
                )
        return series.values


def _recordings_under(root: Path) -> Iterator[Path]:
    return (path for path in files_under(root) if path.suffix.lower() in _KINDS)


def _kind(path: Path) -> Kind:
    return _KINDS[path.suffix.lower()]
