"""Time makes labels better: who was seen before and after was there in between, too.

Boxes of neighbouring frames are linked into tracks, as in SORT (Bewley 2016): a track's next box
is expected where its last two boxes point, and takes the box of its class that overlaps most with
that. A track that was missing for a few frames is filled by interpolation; one that was seen
in a single frame, with little certainty, is taken for flicker. Pure: boxes in, verdicts out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.documents import Box, Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.overlap import largest_iou

_SAME_IOU: Final = 0.5  # of an interpolated box with one that is there already


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """What counts as one track, and what is done about its holes."""

    gap: int = 3  # at most so many missing frames in a row are filled; 0: none
    flicker: float = 0.4  # 0..1, a box below that no neighbouring frame confirms is dropped
    min_iou: float = 0.3  # 0..1, of a box with where its track was expected
    seconds: float = 1.0  # frames further apart are no neighbours

    def __post_init__(self) -> None:
        if not (0 <= self.gap <= 1000 and 0 <= self.flicker <= 1):
            raise InputError("tracks: expected gap 0..1000 and flicker 0..1")
        if not (0 < self.min_iou <= 1 and self.seconds > 0):
            raise InputError("tracks: expected min_iou above 0, up to 1, and seconds above 0")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One box in one frame: xyxy in pixels, score 0..1, and its class."""

    box: Box
    score: float
    class_: str


@dataclass(frozen=True, slots=True)
class Steadied:
    """What time says about a frame: the indices of its sightings that stay, in their order, and
    the boxes that were missing, each with the lower score of the two that it lies between."""

    kept: tuple[int, ...]
    filled: tuple[Sighting, ...]


@dataclass(slots=True)
class _Track:
    class_: str
    seen: list[tuple[int, int]]  # frame, index within it


def sequences(items: Sequence[Item], settings: TrackSettings) -> list[list[Item]]:
    """The items that are frames of a video, by source and in order of time, cut where two
    neighbours are too far apart. Single pictures are in none."""
    found: list[list[Item]] = []
    frames = [item for item in items if item.frame is not None]
    frames.sort(key=lambda item: (item.source, item.captured_at, item.frame))
    for item in frames:
        last = found[-1][-1] if found else None
        if (
            last is None
            or last.source != item.source
            or item.captured_at - last.captured_at > settings.seconds
        ):
            found.append([])
        found[-1].append(item)
    return found


def steadied(frames: Sequence[Sequence[Sighting]], settings: TrackSettings) -> list[Steadied]:
    """One verdict a frame of a sequence, given what was seen in each.

    Only a box with a frame on both sides can be flicker. Filled boxes lie between the boxes of
    their track; where the frame has such a box already, of the same class, none is added.
    """
    kept: list[list[int]] = [[] for _ in frames]
    filled: list[list[Sighting]] = [[] for _ in frames]
    tracks = _tracks(frames, settings)
    for track in tracks:
        first, index = track.seen[0]
        inner = 0 < first < len(frames) - 1
        if len(track.seen) > 1 or not inner or frames[first][index].score >= settings.flicker:
            for frame, place in track.seen:
                kept[frame].append(place)
    for track in tracks:
        for (start, a), (end, b) in zip(track.seen, track.seen[1:], strict=False):
            for frame in range(start + 1, end):
                share = (frame - start) / (end - start)
                between = _between(frames[start][a], frames[end][b], share)
                present = [frames[frame][place] for place in kept[frame]]
                if not _is_there(between, [*present, *filled[frame]]):
                    filled[frame].append(between)
    return [
        Steadied(tuple(sorted(places)), tuple(boxes))
        for places, boxes in zip(kept, filled, strict=True)
    ]


def _tracks(frames: Sequence[Sequence[Sighting]], settings: TrackSettings) -> list[_Track]:
    every: list[_Track] = []
    live: list[_Track] = []
    for now, frame in enumerate(frames):
        live = [track for track in live if now - track.seen[-1][0] <= settings.gap + 1]
        taken = _links(live, frames, now, settings)
        for index, sighting in enumerate(frame):
            if index in taken:
                taken[index].seen.append((now, index))
            else:
                every.append(_Track(sighting.class_, [(now, index)]))
                live.append(every[-1])
    return every


def _links(
    live: Sequence[_Track],
    frames: Sequence[Sequence[Sighting]],
    now: int,
    settings: TrackSettings,
) -> dict[int, _Track]:
    """Which box of frame `now` belongs to which track: best overlap first, each but once."""
    frame = frames[now]
    if not live or not frame:
        return {}
    boxes = np.asarray([sighting.box for sighting in frame], np.float32)
    overlap = iou_matrix(np.asarray([_expected(t, frames, now) for t in live], np.float32), boxes)
    classes = np.asarray([sighting.class_ for sighting in frame])
    overlap[np.asarray([track.class_ for track in live])[:, None] != classes[None, :]] = 0
    found: dict[int, _Track] = {}
    while True:
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        if overlap[row, column] < settings.min_iou:
            return found
        found[int(column)] = live[int(row)]
        overlap[row, :] = 0
        overlap[:, column] = 0


def _expected(track: _Track, frames: Sequence[Sequence[Sighting]], now: int) -> Box:
    """Where the track's next box should be: the last one, moved on as its centre last moved."""
    last, index = track.seen[-1]
    x0, y0, x1, y1 = frames[last][index].box
    if len(track.seen) == 1:
        return x0, y0, x1, y1
    before, place = track.seen[-2]
    a0, b0, a1, b1 = frames[before][place].box
    steps = (now - last) / (last - before)
    right, down = (x0 + x1 - a0 - a1) / 2 * steps, (y0 + y1 - b0 - b1) / 2 * steps
    return x0 + right, y0 + down, x1 + right, y1 + down


def _between(a: Sighting, b: Sighting, share: float) -> Sighting:
    x0, y0, x1, y1 = (one + (other - one) * share for one, other in zip(a.box, b.box, strict=True))
    return Sighting((x0, y0, x1, y1), min(a.score, b.score), a.class_)


def _is_there(box: Sighting, present: Sequence[Sighting]) -> bool:
    same = [sighting.box for sighting in present if sighting.class_ == box.class_]
    return largest_iou(box.box, same) >= _SAME_IOU
