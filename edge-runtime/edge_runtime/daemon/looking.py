"""What is done with one picture of a stream: decided, counted, shown on the status page."""

import logging
import time
from typing import Final

import numpy as np
import simplejpeg
from msgspec import UnsetType

from edge_runtime.contract import Decisions, LineCrossed, decide, preprocess
from edge_runtime.daemon.settings import StreamSettings
from edge_runtime.engines import UInt8
from edge_runtime.errors import InputError, StorageError
from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving.live import Live, Seen
from edge_runtime.streams.counting import Counting, Moment, tracker_settings
from edge_runtime.streams.eventlog import EventLog
from edge_runtime.streams.lines import parse_line

LIVE_S: Final = 1.0  # between pictures for the status page
LIVE_WIDTH: Final = 960
QUALITY: Final = 80

log = logging.getLogger(__name__)


class Looking:
    """Lets a model decide about the pictures of stream `name`; belongs to the stream's thread."""

    def __init__(self, name: str, settings: StreamSettings, live: Live, events: EventLog) -> None:
        self._name, self._settings, self._live, self._events = name, settings, live, events
        self._line = None if settings.line is None else parse_line(settings.line)
        self._counting: Counting | None = None
        self._shown = float("-inf")
        self._failing = False
        self.counts = {"in": 0, "out": 0}

    def look(self, host: Host, picture: UInt8, at: Moment) -> None:
        """Decide about `picture` (uint8 [H,W,3], RGB).

        Raises MissingError when no model is loaded, RefusedError or ContractError when it fails,
        InputError when it takes no pictures, or finds nothing that could cross the line.
        """
        loaded = host.get(self._settings.model)
        release = loaded.active.release
        if not isinstance(release.input.signal, UnsetType):
            raise InputError(f"{release.name} takes recordings, and a stream shows pictures")
        if self._line is not None and release.task != "detection":
            raise InputError(f"{release.name} finds no boxes that could cross a line")
        given, place = preprocess(picture, release.input)
        outputs = host.run_on(loaded, given[None])
        threshold = release.operating_point.score_threshold
        low = threshold / 3 if release.task == "detection" else threshold
        found = decide(release.task, outputs, 0, low)
        if release.task == "detection":
            boxes = place.to_picture(np.asarray(found.boxes, np.float32).reshape(-1, 4))
            found = Decisions(found.labels, found.scores, tuple((*box,) for box in boxes.tolist()))
            self._count(loaded, found, at)
        self._show(picture, _sure(found, threshold))

    def _count(self, loaded: Loaded, found: Decisions, at: Moment) -> None:
        if self._line is None:
            return
        release = loaded.active.release
        settings = tracker_settings(release.operating_point.score_threshold, self._settings.fps)
        if self._counting is None:
            self._counting = Counting(self._line, settings)
        boxes = np.asarray(found.boxes, np.float32).reshape(-1, 4)
        scores = np.asarray(found.scores, np.float32)
        crossings = self._counting.step(at, boxes, scores, settings)
        for crossing, _ in crossings:
            self.counts[crossing.direction] += 1
        events = [
            LineCrossed(
                stream=self._name,
                frame=crossing.frame,
                seconds=round(when.seconds, 3),
                track=crossing.track,
                direction=crossing.direction,
                release=loaded.active.slot.release.sha256,
                time=round(when.time, 3),
            )
            for crossing, when in crossings
        ]
        if events:
            self._write(events)

    def _write(self, events: list[LineCrossed]) -> None:
        try:
            self._events.add(events)
            self._failing = False
        except StorageError as error:
            if not self._failing:
                log.error("stream %s: events are lost: %s", self._name, error)  # noqa: TRY400
            self._failing = True

    def _show(self, picture: UInt8, found: Decisions) -> None:
        now = time.monotonic()
        if not self._live.kept or now - self._shown < LIVE_S:
            return
        self._shown = now
        height, width = picture.shape[:2]
        step = -(-width // LIVE_WIDTH)
        small = np.ascontiguousarray(picture[::step, ::step])
        data = simplejpeg.encode_jpeg(small, quality=QUALITY)
        seen = Seen(data, "image/jpeg", width, height, found, time.time(), self._name)
        self._live.put(self._settings.model, seen)


def _sure(found: Decisions, threshold: float) -> Decisions:
    """Those decisions that count; the best come first."""
    count = sum(score >= threshold for score in found.scores)
    if count == len(found.scores):
        return found
    return Decisions(found.labels[:count], found.scores[:count], found.boxes[:count])
