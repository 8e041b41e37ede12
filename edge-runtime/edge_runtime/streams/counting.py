"""Who crosses the line of a stream that never ends: detections in, crossings out."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from edge_runtime.streams.lines import Crossing, Line, LineCounter
from edge_runtime.streams.tracker import Float32, Tracker, TrackerSettings

PATIENCE_S: Final = 2.5
REMEMBERED: Final = 1000  # pictures whose time is known when a crossing becomes certain


@dataclass(frozen=True)
class Moment:
    """When a picture was seen: its index, stream time in seconds, and seconds since 1970."""

    index: int
    seconds: float
    time: float


def tracker_settings(threshold: float, fps: float) -> TrackerSettings:
    """What a tracker believes of a detector with that score threshold, at so many pictures a
    second."""
    return TrackerSettings(
        high_score=threshold, low_score=threshold / 3, patience=max(1, round(PATIENCE_S * fps))
    )


class Counting:
    """Tracker and line over a stream, in bounded memory; `step` is called once a picture."""

    def __init__(self, line: Line, settings: TrackerSettings) -> None:
        self._tracker, self._counter = Tracker(settings), LineCounter(line)
        self._moments: deque[Moment] = deque(maxlen=REMEMBERED)

    def step(
        self, at: Moment, boxes: Float32, scores: Float32, settings: TrackerSettings
    ) -> list[tuple[Crossing, Moment]]:
        """The crossings that became certain with the detections (boxes [n,4] xyxy in pixels of the
        picture, scores [n]) of one picture, and when they were. Indices only rise."""
        self._tracker.settings = settings
        self._moments.append(at)
        certain = self._counter.step(at.index, self._tracker.step(boxes, scores))
        self._counter.keep(self._tracker.alive)
        return [(crossing, self._moment(crossing.frame)) for crossing in certain]

    def _moment(self, index: int) -> Moment:
        """Of the picture with that index; the oldest known, where it was earlier."""
        return next((at for at in self._moments if at.index >= index), self._moments[-1])
