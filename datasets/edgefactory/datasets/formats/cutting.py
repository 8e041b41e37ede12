"""Recordings are cut into pictures' worth of steps, and these become items."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Audio, Signal, audio_picture, features_picture
from edgefactory.datasets.documents import Item, Label, Progress, State
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats.filing import Filed
from edgefactory.datasets.formats.foreign import Tally
from edgefactory.datasets.formats.names import (
    MAX_NAME,
    data_set_name,
    natural,
    relative_name,
    short_names,
)
from edgefactory.datasets.formats.recordings import Reader, Recordings, Values


def steps_of(values: Values, signal: Signal) -> int:
    """How many columns a whole recording has."""
    if isinstance(signal, Audio):
        return 1 + max(0, len(values) - signal.window) // signal.hop
    return len(values)


def _picture(values: Values, signal: Signal, start: int) -> NDArray[np.uint8]:
    if isinstance(signal, Audio):
        return audio_picture(values[start * signal.hop :][: signal.samples], signal)
    return features_picture(values[start : start + signal.steps], signal)


class _Window(NamedTuple):
    """A picture's worth of a recording."""

    file: Filed
    name: str  # of the recording
    start: int  # step


class Cutting:
    """Recordings become items one picture at a time; `content` keeps it until it is written."""

    def __init__(
        self, root: Path, signal: Signal, hop: int, annotator: str | None, tally: Tally
    ) -> None:
        """`root` is the folder that sources are named by; `hop` in steps."""
        self.content: dict[str, bytes] = {}
        self.seen: dict[str, _Window] = {}
        self._root, self._signal, self._hop, self._tally = root, signal, hop, tally
        self._origin = f"human:{annotator}" if annotator else "imported:sequences"
        self._reviewed = annotator is not None

    def items(self, found: Recordings, reader: Reader, report: Progress) -> Iterator[Item]:
        """The items in order of their names. Raises `InputError` when there are none."""
        rate = self._signal.rate if isinstance(self._signal, Audio) else 0
        shelved = [(f"{file.split}/{file.class_}", file.name) for file in found.files]
        named = sorted(
            zip(short_names(shelved), found.files, strict=True), key=lambda one: natural(one[0])
        )
        for done, (name, file) in enumerate(named, start=1):
            report(done, len(named), name)
            values = reader.read(file.path, rate)
            if values is None:
                continue
            for start in self._starts(steps_of(values, self._signal)):
                item = self._item(_Window(file, name, start), _picture(values, self._signal, start))
                if item is not None:
                    yield item
        if not self.seen:
            raise InputError("no recording can be used; nothing was imported")

    def _starts(self, count: int) -> range:
        """Where the pictures of a recording of `count` steps begin."""
        steps = self._signal.steps
        starts = range(0, max(count - steps, 0) + 1, self._hop)
        self._tally.counts["recordings filled up"] += count < steps
        self._tally.counts["steps at ends left out"] += max(0, count - starts[-1] - steps)
        return starts

    def _item(self, window: _Window, picture: NDArray[np.uint8]) -> Item | None:
        """The window as an item; None for one whose picture is there already."""
        content = _png(picture)
        digest = hashlib.sha256(content).hexdigest()
        first = self.seen.setdefault(digest, window)
        if first is not window:
            self._twice(first, window)
            return None
        self.content[digest] = content
        state: State = "reviewed" if self._reviewed else "accepted"
        return Item(
            id=digest,
            file=f"images/{digest}.png",
            width=picture.shape[1],
            height=picture.shape[0],
            source=data_set_name(relative_name(window.file.path, self._root)),
            frame=window.start,
            captured_at=round(window.start * self._signal.step_seconds, 6),
            split=window.file.split,
            labels=(Label(window.file.class_, None, self._origin, 1.0, state),),
            name=f"{window.name}/{window.start}.png"[-MAX_NAME:],
            reviewed=self._reviewed,
        )

    def _twice(self, first: _Window, window: _Window) -> None:
        if first.file.class_ == window.file.class_:
            self._tally.counts["pictures there twice"] += 1
            return
        error = (
            f"{window.file.path} from step {window.start} on makes the same picture as "
            f"{first.file.path} from step {first.start} on, which has another class; remove one"
        )
        self._tally.bad("pictures there twice", InputError(error))


def _png(picture: NDArray[np.uint8]) -> bytes:
    """Grey, losslessly."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture[:, :, 0]).save(buffer, "PNG")
    return buffer.getvalue()
