"""Recordings of sound, or features over time, become a snapshot: a sequence is a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Audio, Features, Signal
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats.cutting import Cutting, steps_of
from edgefactory.datasets.formats.filing import Filed
from edgefactory.datasets.formats.foreign import ImportSettings, Tally, chosen_classes
from edgefactory.datasets.formats.importing import Imported
from edgefactory.datasets.formats.names import classes_of, data_set_name
from edgefactory.datasets.formats.ranges import Ranges
from edgefactory.datasets.formats.recordings import Reader, Recordings, Values, recordings

_RATE: Final = 16000  # samples of sound a second, unless asked otherwise
_LONGEST: Final = 1000  # steps of a picture, unless asked otherwise
_MOST: Final = 16384  # steps of a picture, which is so wide


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """How recordings are cut, and become pictures."""

    steps: int | None = None  # columns of a picture; None: as many as the longest recording has
    hop: int | None = None  # steps from the start of one picture to the next; None: `steps`
    rate: float | None = None  # samples of sound (None: 16,000), or steps (None: 1), a second
    signal: Signal | None = None  # all of it, instead of `steps` and `rate`

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("hop", self.hop)):
            if value is not None and not 1 <= value <= _MOST:
                raise InputError(f"sequences: {name} is {value}; expected 1 to {_MOST}")
        if self.rate is not None and not 0 < self.rate <= 1e6:
            raise InputError(f"sequences: the rate is {self.rate:g} a second; expected 0 to 1e6")
        if self.signal is not None and (self.steps is not None or self.rate is not None):
            raise InputError("sequences: the signal says steps and rate; leave these out")


def import_sequences(
    path: Path,
    out: Path,
    settings: ImportSettings,
    how: SequenceSettings,
    progress: Progress | None = None,
) -> Imported:
    """Write the snapshot `out` of the recordings in the class folders of `path`.

    A recording longer than a picture is cut into several, `how.hop` steps apart; what is left at
    its end is left out and counted. A shorter one is followed by silence, or by the low end of
    every feature. Without a given signal, sound becomes 40 mel bands of 25 ms every 10 ms, and
    features have the ranges of the training data (`Ranges`). Errors as `recordings` and `Reader`.
    """
    report = progress or (lambda _done, _total, _text: None)
    tally = Tally(settings.drop_bad)
    found = recordings(path)
    classes = classes_of(path, {file.class_ for file in found.files})
    rows = how.signal.rows if isinstance(how.signal, Features) else None
    reader = Reader(found.kind, tally, rows)
    signal: Signal
    if how.signal is not None:
        signal = _given(found, how.signal)
    elif found.kind == "sound":
        signal = _audio(found, reader, how, report)
    else:
        signal = _features(found, reader, how, tally, report)
    header = Header(
        data_set_name(settings.name or path.resolve().stem),
        "classification",
        chosen_classes(classes, settings, str(path)),
        "human" if settings.annotator else "imported",
        signal=signal,
    )
    cutting = Cutting(path, signal, how.hop or signal.steps, settings.annotator, tally)
    items = cutting.items(found, reader, report)
    digest = write_snapshot(out, header, items, lambda item: cutting.content.pop(item.id))
    reader.tell()
    return Imported(digest, header, len(cutting.seen), +tally.counts)


def default_audio(rate: int, steps: int) -> Audio:
    """Sound as most recognisers of speech and noises see it: 40 mel bands of 25 ms every 10 ms.

    Raises `InputError` for a rate at which there are no such bands.
    """
    window, hop = max(1, round(0.025 * rate)), max(1, round(0.010 * rate))
    try:
        return Audio(rate, window, hop, 40, 20.0, rate / 2, -80.0, steps)
    except ValueError as error:
        raise InputError(
            f"sound of {rate} Hz needs other bands ({error}); give them with --signal FILE"
        ) from error


def _given(found: Recordings, signal: Signal) -> Signal:
    """The signal that was given. Raises `InputError` when it is not for these recordings."""
    if isinstance(signal, Audio) != (found.kind == "sound"):
        wanted = "sound" if isinstance(signal, Audio) else "features"
        raise InputError(f"the signal is for {wanted}; {found.files[0].path} is something else")
    return signal


def _audio(found: Recordings, reader: Reader, how: SequenceSettings, report: Progress) -> Audio:
    """The signal that fits recordings of sound."""
    rate = _RATE if how.rate is None else how.rate
    if rate != int(rate):
        raise InputError(f"sequences: the rate of sound is {rate:g} Hz; expected whole ones")
    spec = default_audio(int(rate), how.steps or 1)
    if how.steps is not None:
        return spec
    longest = max(steps_of(values, spec) for _, values in _read(found, reader, spec.rate, report))
    return msgspec.structs.replace(spec, steps=_checked(longest))


def _features(
    found: Recordings, reader: Reader, how: SequenceSettings, tally: Tally, report: Progress
) -> Features:
    """The signal that fits recordings of features: with the ranges of those that train."""
    ranges, longest, learned = Ranges(), 0, False
    for file, values in _read(found, reader, 0, report):
        longest = max(longest, len(values))
        if file.split == "train":
            ranges.add(values)
            learned = True
    if not learned:
        raise InputError(
            "nothing of it is in train, so that features have no ranges; give --signal"
        )
    low, high, constant = ranges.result()
    tally.counts["features that never change"] += int(constant.sum())
    steps = how.steps or _checked(longest)
    return Features(float(how.rate or 1), _rounded(low), _rounded(high), steps)


def _read(
    found: Recordings, reader: Reader, rate: int, report: Progress
) -> Iterator[tuple[Filed, Values]]:
    """All recordings that can be used. Raises `InputError` when there are none."""
    any_ = False
    for done, file in enumerate(found.files, start=1):
        report(done, len(found.files), "measuring recordings")
        values = reader.read(file.path, rate)
        if values is not None:
            any_ = True
            yield file, values
    if not any_:
        raise InputError("no recording can be used; nothing was imported")


def _checked(steps: int) -> int:
    if steps > _LONGEST:
        raise InputError(
            f"the longest recording has {steps} steps; say with --steps how many a picture has"
        )
    return steps


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """To nine digits, which tell any two f32 apart."""
    return tuple(float(f"{value:.9g}") for value in values)
