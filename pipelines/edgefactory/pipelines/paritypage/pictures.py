"""The pictures of a comparison: what each decided, side by side, and what each graph was fed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from edgefactory.compress.parity.document import Decided, Departure, Parity
from edgefactory.compress.parity.inputs import shown
from edgefactory.datasets import Item, Progress, load_picture, stream_items
from edgefactory.pipelines.paritypage.sides import Sides
from edgefactory.pipelines.paritypage.wording import counted
from edgefactory.pipelines.report.embed import jpeg_uri
from edgefactory.pipelines.shots import Kinded, Shot, shot

MOST_FED: Final = 3  # pictures whose inputs are shown
_LARGE: Final = 360  # pixels of the wider side of a shown input
_KINDS: Final = {
    None: "hit",
    "missing": "miss",
    "extra": "false",
    "flipped": "false",
    "moved": "truth",
}
_SEEN: Final = 4.0  # how much the difference is exaggerated


@dataclass(frozen=True)
class Card:
    """A picture as both see it."""

    shots: tuple[Shot, ...]
    item: str
    says: str


@dataclass(frozen=True)
class FedCard:
    """What the graphs were fed of a picture, and the difference, as data URIs."""

    reference: str
    other: str
    difference: str
    size: tuple[int, int]
    item: str


def cards(found: Parity, folder: Path, progress: Progress) -> list[Card]:
    """The worst departures, the worst first."""
    items = _items(found, folder)
    made = []
    for done, departure in enumerate(found.departures, start=1):
        progress(done, len(found.departures), "drawing the page")
        made.append(_card(departure, items[departure.item], folder))
    return made


def _items(found: Parity, folder: Path) -> dict[str, Item]:
    wanted = {departure.item for departure in found.departures}
    return {item.id: item for item in stream_items(folder) if item.id in wanted}


def _card(departure: Departure, item: Item, folder: Path) -> Card:
    sides = departure.reference, departure.other
    if all(decided.box is None for side in sides for decided in side):
        said = [f"{side[0].label} ({side[0].score:.2f})" if side else "nothing" for side in sides]
        says = f"reference {said[0]}, other {said[1]}"
        return Card((shot(folder, item, (), whole=True),), item.id, says)
    shots = tuple(shot(folder, item, _boxes(side), whole=True) for side in sides)
    return Card(shots, item.id, counted(departure.changes))


def _boxes(decided: Sequence[Decided]) -> list[Kinded]:
    return [(_KINDS[one.change], one.box) for one in decided if one.box is not None]


def fed_cards(found: Parity, sides: Sides, folder: Path) -> list[FedCard]:
    """What both graphs are fed, where that is what departs; else nothing."""
    step = found.bisection.steps[0] if found.bisection and found.bisection.steps else None
    if step is None or not step.departs:
        return []
    reference, other = sides.chains()
    made = []
    for item in list(_items(found, folder).values())[:MOST_FED]:
        picture = load_picture(folder, item)
        pair = [shown(side.prepare(picture)[0]) for side in (reference, other)]
        if pair[0].shape != pair[1].shape:
            return []
        off = np.abs(pair[0].astype(np.float64) - pair[1]) * _SEEN
        all_three = [*pair, np.clip(off, 0, 255).astype(np.uint8)]
        uris = [_enlarged(array) for array in all_three]
        size = pair[0].shape[1], pair[0].shape[0]
        made.append(FedCard(uris[0], uris[1], uris[2], size, item.id))
    return made


def _enlarged(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    """Whole pixels stay in sight."""
    times = max(1, _LARGE // max(array.shape[:2]))
    size = array.shape[1] * times, array.shape[0] * times
    return jpeg_uri(np.asarray(Image.fromarray(array).resize(size, Image.Resampling.NEAREST)), 88)
