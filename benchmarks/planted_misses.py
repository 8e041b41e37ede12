"""Persons that a teacher missed, planted in real footage; does `label next` ask about them?

The labels of the hand-labelled frames of `vtest.avi` stand for a teacher's: their scores are drawn
from 0.5 to 1, and in a few pictures one box is taken away. Then `label next` is asked for as many
pictures, so at best all of those are among them; by chance as many as their share is.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace

from edgefactory.datasets import (
    CLIP_SHA256,
    Header,
    Item,
    Label,
    TrueFrame,
    fetch_clip,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.asking import AskSettings, next_questions, uncertainty
from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.ingest import jpeg
from edgefactory.datasets.video import read_frames

PLANTED: Final = 10  # pictures with a box missing


def shares(draws: int) -> dict[str, float]:
    """The share of the pictures with a missing box that is found, the mean over `draws`: by
    `label next`, by the teacher's uncertainty alone, and by chance. Settings were fixed on other
    draws."""
    path = shipped_truth(CLIP_SHA256)
    assert path is not None
    frames = read_truth(path).frames
    with tempfile.TemporaryDirectory(prefix="planted-misses-") as name:
        pictures = _pictures(Path(name), frames)
        found = [_found(Path(name), pictures, frames, seed) for seed in range(100, 100 + draws)]
    ours, plain = np.mean(found, axis=0).tolist()
    return {"label next": ours, "uncertainty": plain, "chance": PLANTED / len(frames)}


def _pictures(folder: Path, frames: tuple[TrueFrame, ...]) -> tuple[Item, ...]:
    """The clip's hand-labelled frames as a snapshot without labels, in `folder`/clip."""
    wanted = frozenset(entry.frame for entry in frames)
    contents: dict[str, bytes] = {}
    items = []
    for frame in read_frames(fetch_clip(), wanted):
        content = jpeg(frame.pixels)
        digest = hashlib.sha256(content).hexdigest()
        contents[digest] = content
        height, width, _ = frame.pixels.shape
        file = f"images/{digest}.jpg"
        items.append(
            Item(digest, file, width, height, "vtest", frame.index, frame.seconds, "train", ())
        )
    write_snapshot(folder / "clip", _header(), items, lambda item: contents[item.id])
    return tuple(items)


def _header() -> Header:
    return Header("vtest", "detection", ("person",), "human", None)


def _found(
    folder: Path, pictures: tuple[Item, ...], frames: tuple[TrueFrame, ...], seed: int
) -> tuple[float, float]:
    chance = np.random.default_rng(seed)
    planted = set(chance.choice(len(frames), PLANTED, replace=False).tolist())
    items = []
    for place, (item, entry) in enumerate(zip(pictures, frames, strict=True)):
        lost = int(chance.integers(len(entry.boxes))) if place in planted else None
        labels = tuple(
            Label("person", box.box, "teacher:t", float(chance.uniform(0.5, 1)), "accepted")
            for index, box in enumerate(entry.boxes)
            if index != lost
        )
        items.append(replace(item, labels=labels))
    out = folder / f"draw-{seed}"
    write_snapshot(out, _header(), items, pictures_of(folder / "clip"))
    ids = {items[place].id for place in planted}
    asked = [q.id for q in next_questions(AskSettings(count=PLANTED), out).asked]
    unsure = sorted(items, key=lambda item: -uncertainty(item.labels, "detection"))[:PLANTED]
    return (
        len(ids.intersection(asked)) / PLANTED,
        len(ids.intersection(item.id for item in unsure)) / PLANTED,
    )
