"""Faults of boxes, planted into what people labelled: one fault a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from msgspec import structs

from edgefactory.datasets import Label
from edgefactory.datasets.checks import Kind
from edgefactory.datasets.documents import Box
from planted import Fault, Picture, Plot, Random, overlap

Change = Callable[[Box, Random], Box]
SIZE: Final = (768, 576)  # of the pictures


def plant_boxes(plot: Plot, count: int, random: Random) -> None:
    """So many of each kind of box fault."""
    whole = [
        (index, place)
        for index, picture in enumerate(plot.pictures)
        for place, label in enumerate(picture.labels)
        if not label.ignore
    ]
    random.shuffle(whole)
    gone: dict[int, set[int]] = {}
    for kind in ("misplaced-box", "odd-box", "missing-box"):
        for _ in range(count):
            index, place = whole.pop()
            label = plot.pictures[index].labels[place]
            assert label.box is not None
            if kind == "missing-box":
                gone.setdefault(index, set()).add(place)
                plot.faults.append(Fault("missing-box", frozenset({index}), None, label.box))
                continue
            box = _free(plot.pictures[index], place, label.box, CHANGES[kind], random)
            _put(plot, index, place, structs.replace(label, box=box))
            plot.faults.append(Fault(kind, frozenset({index}), place, label.box))
    for _ in range(count):
        _plant_unseen(plot, random)
    _remove(plot, gone)


def _plant_unseen(plot: Plot, random: Random) -> None:
    """A box of a usual size for its place, where nobody is."""
    while True:
        index = int(random.integers(len(plot.pictures)))
        model = random.choice(len(plot.pictures))
        picture, other = plot.pictures[index], plot.pictures[model]
        box = other.labels[int(random.integers(len(other.labels)))].box
        assert box is not None
        taken = [label.box for label in picture.labels if label.box is not None]
        faults = [f.box for f in plot.faults if index in f.pictures and f.box is not None]
        if max(overlap(box, each) for each in (*taken, *faults)) < 0.02:
            label = Label("person", box, "human:planted", 1.0, "reviewed")
            plot.pictures[index] = replace(picture, labels=(*picture.labels, label))
            place = len(picture.labels)
            plot.faults.append(Fault("unseen-box", frozenset({index}), place, box))
            return


def _remove(plot: Plot, gone: Mapping[int, set[int]]) -> None:
    """Take the missing boxes away; the places of those after them change."""
    for index, places in gone.items():
        picture = plot.pictures[index]
        left = [place for place in range(len(picture.labels)) if place not in places]
        labels = tuple(picture.labels[place] for place in left)
        plot.pictures[index] = replace(picture, labels=labels)
        for number, fault in enumerate(plot.faults):
            if index in fault.pictures and fault.label is not None:
                plot.faults[number] = replace(fault, label=left.index(fault.label))


def _put(plot: Plot, index: int, place: int, label: Label) -> None:
    picture = plot.pictures[index]
    labels = (*picture.labels[:place], label, *picture.labels[place + 1 :])
    plot.pictures[index] = replace(picture, labels=labels)


def _free(picture: Picture, place: int, box: Box, change: Change, random: Random) -> Box:
    """A changed box inside of the picture that is not that of somebody else."""
    others = [
        label.box
        for each, label in enumerate(picture.labels)
        if each != place and label.box is not None
    ]
    while True:
        x0, y0, x1, y1 = change(box, random)
        inside = x0 >= 0 and y0 >= 0 and x1 <= SIZE[0] and y1 <= SIZE[1]
        apart = all(overlap((x0, y0, x1, y1), other) < 0.3 for other in others)
        if inside and apart:
            return x0, y0, x1, y1


def _moved(box: Box, random: Random) -> Box:
    """Beside where it belongs: it overlaps, but by 0.15 to 0.4 only."""
    width, height = box[2] - box[0], box[3] - box[1]
    while True:
        right, down = random.uniform(-0.8, 0.8) * width, random.uniform(-0.8, 0.8) * height
        grown = random.uniform(0.8, 1.25)
        x, y = (box[0] + box[2]) / 2 + right, (box[1] + box[3]) / 2 + down
        half = (grown * width / 2, grown * height / 2)
        moved = (x - half[0], y - half[1], x + half[0], y + half[1])
        inside = moved[0] >= 0 and moved[1] >= 0 and moved[2] <= SIZE[0] and moved[3] <= SIZE[1]
        if inside and 0.15 <= overlap(box, moved) <= 0.4:
            return moved


def _odd(box: Box, random: Random) -> Box:
    """Much too wide, narrow, tall, low, large or small, about its middle, cut at the edge."""
    ways = ((4.0, 1.0), (0.2, 1.0), (1.0, 0.2), (3.0, 3.0), (0.25, 0.25), (2.5, 0.4))
    wide, tall = ways[int(random.integers(len(ways)))]
    jitter = random.uniform(0.85, 1.15)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = ((box[2] - box[0]) * wide * jitter / 2, (box[3] - box[1]) * tall * jitter / 2)
    return (
        max(x - half[0], 0.0),
        max(y - half[1], 0.0),
        min(x + half[0], float(SIZE[0])),
        min(y + half[1], float(SIZE[1])),
    )


CHANGES: Final[Mapping[Kind, Change]] = {"misplaced-box": _moved, "odd-box": _odd}
