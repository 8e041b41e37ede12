"""Pictures that are the same, or nearly: by the digest of the pixels, and by a perceptual hash.

The hash is the signs of 64 low DCT coefficients of the thumbnail, each against its median over
all pictures and then over the pictures of its source; so a bit tells something even where a
still camera makes every picture look alike. Candidates come from sorted neighbourhoods
(Hernandez and Stolfo 1995): the hashes are sorted eight times, each time by another group of
bits first, and a picture is compared with the few that follow it. The cost is near-linear,
whatever the data. A candidate is a near duplicate when the two thumbnails agree everywhere, after
a small shift, zoom and change of light was allowed for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.aligning import differences, laid_over
from edgefactory.datasets.checks.measuring import THUMB, Measures
from edgefactory.datasets.checks.scenes import Scene

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_BITS: Final = 64
_ROTATIONS: Final = 8
_NEIGHBOURS: Final = 16  # that a picture is compared with in each sorting
_MOST_BITS: Final = 16  # that may differ in a candidate
_ROUGH: Final = 0.03  # 1 - correlation of two 16x16 thumbnails above which no closer look is taken
NEAR: Final = 17.0  # grey levels of difference anywhere, up to which two thumbnails are alike
_FLAT: Final = 3.0  # standard deviation in grey levels below which a picture shows nothing
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that are the same: `a` before `b` in the manifest; `difference` in grey levels.

    `exact` means that every pixel is equal; only the files differ.
    """

    a: int
    b: int
    difference: float
    exact: bool


def find_duplicates(
    measures: Measures, scenes: Sequence[Scene], bad: Set[int] = frozenset()
) -> list[Pair]:
    """For groups of duplicates, the pairs that hold each group together: one less than members.

    Pictures that are `bad` in another way, or show nothing, are not near duplicates of any.
    """
    count = len(measures.thumb)
    pairs = list(exact_pairs(measures.digest))
    seen = {(pair.a, pair.b) for pair in pairs}
    good = measures.thumb.reshape(count, -1).std(axis=1) >= _FLAT
    good[list(bad)] = False
    close = set(candidates(measures.thumb, np.flatnonzero(good)))
    for scene in scenes:
        rows = scene.rows[good[scene.rows]]
        empty = np.broadcast_to(scene.empty, (len(rows), THUMB, THUMB))
        laid = np.clip(laid_over(empty, measures.thumb[rows]), 0, 255).astype(np.uint8)
        found = candidates(laid, np.arange(len(rows)))
        close.update((int(rows[a]), int(rows[b])) for a, b in found)
    open_ = np.asarray(sorted(close - seen), np.int64).reshape(-1, 2)
    for start in range(0, len(open_), _CHUNK):
        part = open_[start : start + _CHUNK]
        apart = differences(measures.thumb[part[:, 0]], measures.thumb[part[:, 1]])
        for place in np.flatnonzero(apart <= NEAR).tolist():
            a, b = part[place].tolist()
            pairs.append(Pair(a, b, float(apart[place]), exact=False))
    return forest(pairs, count)


def exact_pairs(digest: NDArray[np.uint8]) -> Iterator[Pair]:
    """Neighbours among pictures of equal pixels."""
    first: dict[bytes, int] = {}
    for index, row in enumerate(digest):
        key = row.tobytes()
        if key in first:
            yield Pair(first[key], index, 0.0, exact=True)
        first[key] = index


def candidates(thumbs: NDArray[np.uint8], members: Ints) -> list[tuple[int, int]]:
    """Pairs (a, b), a < b, of the `members` among `thumbs` [n,64,64] worth a closer look."""
    if len(members) < 2:
        return []
    bits = _bits(thumbs, members)
    found: set[tuple[int, int]] = set()
    for start in range(0, _BITS, _BITS // _ROTATIONS):
        order = np.lexsort(np.roll(bits, -start, axis=1).T[::-1])
        found.update(_neighbours(bits, order))
    pairs = sorted({(min(a, b), max(a, b)) for a, b in found})
    index = members.tolist()
    return _alike(thumbs, [(index[a], index[b]) for a, b in pairs])


def _bits(thumbs: NDArray[np.uint8], members: Ints) -> NDArray[np.bool_]:
    """The hashes [n,64] of the members, the lowest frequencies first; the mean is left out."""
    frequency, place = np.arange(12)[:, None], np.arange(THUMB)[None, :]
    basis = np.cos(np.pi * (place + 0.5) * frequency / THUMB).astype(np.float32)
    u, v = np.divmod(np.arange(144), 12)
    lowest = np.lexsort([u, u + v])[1 : _BITS + 1]
    parts = []
    for start in range(0, len(members), _CHUNK):
        part = thumbs[members[start : start + _CHUNK]].astype(np.float32)
        parts.append((basis @ part @ basis.T).reshape(len(part), -1)[:, lowest])
    coefficients = np.concatenate(parts)
    bits: NDArray[np.bool_] = coefficients > np.median(coefficients, axis=0)
    return bits


def _neighbours(bits: NDArray[np.bool_], order: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    packed = np.packbits(bits[order], axis=1).view(np.uint64)[:, 0]
    for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
        apart = np.bitwise_count(packed[step:] ^ packed[:-step])
        for place in np.flatnonzero(apart <= _MOST_BITS).tolist():
            yield int(order[place]), int(order[place + step])


def _alike(thumbs: NDArray[np.uint8], pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs whose thumbnails, much reduced, go up and down together."""
    kept: list[tuple[int, int]] = []
    for start in range(0, len(pairs), _CHUNK):
        part = np.asarray(pairs[start : start + _CHUNK])
        a, b = (_standardised(thumbs[part[:, side]]) for side in (0, 1))
        near = 1 - (a * b).sum(axis=1) <= _ROUGH
        kept += [(int(x), int(y)) for x, y in part[near]]
    return kept


def _standardised(thumbs: NDArray[np.uint8]) -> Floats:
    side = THUMB // 4
    rough = thumbs.reshape(-1, side, 4, side, 4).mean(axis=(2, 4)).reshape(len(thumbs), -1)
    rough -= rough.mean(axis=1, keepdims=True)
    rough /= np.maximum(np.linalg.norm(rough, axis=1, keepdims=True), 1e-6)
    return np.asarray(rough, np.float32)


def forest(pairs: list[Pair], count: int) -> list[Pair]:
    """Of `pairs` among `count` pictures the closest that connect the same groups (Kruskal)."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    kept = []
    for pair in sorted(pairs, key=lambda p: (not p.exact, p.difference, p.a, p.b)):
        a, b = root(pair.a), root(pair.b)
        if a != b:
            parent[b] = a
            kept.append(pair)
    return kept
