"""The usual simple ways to find the same faults, judged like ours: `peers` of `data_check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets.checks import Finding, Kind
from edgefactory.datasets.teachers import Found
from planted import Pixels, Plot, overlap

BLUR = 100.0  # variance of the Laplacian below which OpenCV tutorials call a picture blurred
BITS = 5  # of 64 that may differ in two average hashes, as imagehash's readers are told


def of_views(plot: Plot) -> Iterator[Finding]:
    """Fixed thresholds of mean light and of the Laplacian's variance, for all cameras alike."""
    for picture in plot.pictures:
        grey = _grey(picture.pixels)
        light = float(grey.mean())
        laplacian = (
            grey[:-2, 1:-1]
            + grey[2:, 1:-1]
            + grey[1:-1, :-2]
            + grey[1:-1, 2:]
            - 4 * grey[1:-1, 1:-1]
        )
        if light < 50:
            yield Finding("dark", 1.0, "mean below 50", (picture.id,))
        if light > 200:
            yield Finding("over-exposed", 1.0, "mean above 200", (picture.id,))
        if float(laplacian.var()) < BLUR:
            yield Finding("blurred", 1.0, "Laplacian's variance below 100", (picture.id,))


def of_copies(plot: Plot) -> Iterator[Finding]:
    """Average hashes 8x8 that differ in at most five bits."""
    hashes = []
    for picture in plot.pictures:
        small = Image.fromarray(picture.pixels).convert("L").resize((8, 8))
        level = np.asarray(small, np.float32)
        hashes.append(np.packbits(level > level.mean()).view(np.uint64)[0])
    for a, b in _close(np.asarray(hashes)):
        one, other = plot.pictures[a], plot.pictures[b]
        kind: Kind = "near-duplicate" if one.split == other.split else "leak"
        yield Finding(kind, 1.0, "average hashes are alike", (one.id, other.id))


def _close(codes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    for a in range(len(codes) - 1):
        for b in np.flatnonzero(np.bitwise_count(codes[a + 1 :] ^ codes[a]) <= BITS).tolist():
            yield a, a + 1 + b


def of_boxes(plot: Plot, found: Sequence[Found]) -> Iterator[Finding]:
    """The teacher from score 0.5 on against the labels at IoU 0.5; sizes by three sigmas."""
    sides = np.asarray([_shape(label.box) for p in plot.pictures for label in p.labels])
    mean, deviation = sides.mean(axis=0), sides.std(axis=0)
    for picture, seen in zip(plot.pictures, found, strict=True):
        boxes = [tuple(box) for box in seen.boxes[seen.scores >= 0.5].tolist()]
        labels = [label.box for label in picture.labels if label.box is not None]
        for box in boxes:
            if all(overlap(box, label) < 0.5 for label in labels):
                yield Finding("missing-box", 1.0, "no label", (picture.id,), None, box)
        for place, label in enumerate(picture.labels):
            assert label.box is not None
            if (np.abs(_shape(label.box) - mean) > 3 * deviation).any():
                yield Finding("odd-box", 1.0, "three sigmas", (picture.id,), place, label.box)
            best = max((overlap(box, label.box) for box in boxes), default=0.0)
            if not label.ignore and best < 0.5:
                kind: Kind = "misplaced-box" if best > 0.1 else "unseen-box"
                yield Finding(kind, 1.0, "no find", (picture.id,), place, label.box)


def _shape(box: tuple[float, float, float, float] | None) -> NDArray[np.float64]:
    assert box is not None
    width, height = box[2] - box[0], box[3] - box[1]
    return np.asarray([width * height, width / height])


def _grey(pixels: Pixels) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(pixels).convert("L"), np.float32)
