"""Who crosses a counting line, and which way.

A foot point that moves from the left of the directed segment start → end (seen in the picture,
y pointing down: cross(end - start, p - start) < 0) to its right (> 0) goes "in", the other way
"out". A track has a side only once it stands clear of the line by a share of its own height
(hysteresis), so that a foot point that trembles on the line counts nothing; and it counts only
when its way from the one side to the other passes between the segment's ends.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge_runtime.errors import InputError
from edge_runtime.streams.tracker import TrackView

Direction = Literal["in", "out"]
Point = tuple[float, float]

CLEARANCE = 0.06  # of the track's height
LEAST_CLEARANCE_PX = 2.0


class Line(NamedTuple):
    """A directed counting line in pixels of the picture."""

    start: Point
    end: Point

    def distance(self, point: Point) -> float:
        """Signed distance of `point` in pixels, positive on the right."""
        dx, dy = self.end[0] - self.start[0], self.end[1] - self.start[1]
        return (dx * (point[1] - self.start[1]) - dy * (point[0] - self.start[0])) / self.length

    def along(self, point: Point) -> float:
        """Where `point` stands along the line: 0 at the start, 1 at the end."""
        dx, dy = self.end[0] - self.start[0], self.end[1] - self.start[1]
        inner = dx * (point[0] - self.start[0]) + dy * (point[1] - self.start[1])
        return inner / self.length**2

    @property
    def length(self) -> float:
        """In pixels."""
        return math.dist(self.start, self.end)


def parse_line(text: str) -> Line:
    """The line written as `x0,y0,x1,y1`. Raises InputError."""
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"line {text!r} is not x0,y0,x1,y1 in pixels") from None
    line = Line((x0, y0), (x1, y1))
    if not math.isfinite(line.length) or line.length < 1:
        raise InputError(f"line {text!r} has no length; its ends must differ")
    return line


class Crossing(NamedTuple):
    """Track `track` crossed; `frame` is the first one that saw it on the other side."""

    track: int
    frame: int
    direction: Direction


@dataclass
class _Walk:
    """How a track stands to the line: its side (0: none yet), and where it last was clear."""

    side: int
    point: Point
    turned: int  # the frame at which it last changed the side of the line, cleared or not
    raw: int
    waiting: tuple[Crossing, ...] = ()


class LineCounter:
    """Counts crossings of `line`; `step` is called once a frame, in order."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._walks: dict[int, _Walk] = {}

    def step(self, frame: int, tracks: list[TrackView]) -> list[Crossing]:
        """The crossings that became certain in `frame`.

        What a track did before it was confirmed counts when it is confirmed.
        """
        certain: list[Crossing] = []
        for view in tracks:
            walk = self._walk(frame, view)
            if view.confirmed and walk.waiting:
                certain.extend(walk.waiting)
                walk.waiting = ()
        return certain

    def keep(self, tracks: Collection[int]) -> None:
        """Forget all but `tracks`: those that are gone do not come back."""
        self._walks = {track: walk for track, walk in self._walks.items() if track in tracks}

    def _walk(self, frame: int, view: TrackView) -> _Walk:
        distance = self._line.distance(view.foot)
        clearance = max(LEAST_CLEARANCE_PX, CLEARANCE * (view.box[3] - view.box[1]))
        raw = 1 if distance > 0 else -1
        side = raw if abs(distance) >= clearance else 0
        walk = self._walks.setdefault(view.track, _Walk(side, view.foot, frame, raw))
        if raw != walk.raw:
            walk.raw, walk.turned = raw, frame
        if side and walk.side and side != walk.side and self._between_ends(walk.point, view.foot):
            direction: Direction = "in" if side > 0 else "out"
            walk.waiting += (Crossing(view.track, walk.turned, direction),)
        if side:
            walk.side, walk.point = side, view.foot
        return walk

    def _between_ends(self, before: Point, after: Point) -> bool:
        first, last = self._line.distance(before), self._line.distance(after)
        share = first / (first - last)
        where = (
            before[0] + share * (after[0] - before[0]),
            before[1] + share * (after[1] - before[1]),
        )
        return 0 <= self._line.along(where) <= 1
