"""A detection run: frames in, crossings, heat map and clip out."""

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime import durable
from edge_runtime.contract import LineCrossed, RunReport, decide, encode, preprocess
from edge_runtime.engines import Session
from edge_runtime.errors import InputError
from edge_runtime.hosting import Loaded
from edge_runtime.running import Active, Progress, Timing, run_report
from edge_runtime.streams.clip import CLIP_S, Marks, liveliest, write_clip
from edge_runtime.streams.counting import tracker_settings
from edge_runtime.streams.heatmap import HeatMap
from edge_runtime.streams.lines import Crossing, Line, LineCounter
from edge_runtime.streams.sources import Frame, Stream
from edge_runtime.streams.tracker import Float32, Tracker, TrackerSettings
from edge_runtime.watching import Watcher


class Detector:
    """A session with what the release says about its pictures and scores, and who watches both."""

    def __init__(self, active: Active, session: Session, low_score: float) -> None:
        self._loaded, self._low = Loaded(active, session), low_score
        self._seconds = 0.0
        self.timing = Timing()
        self.watcher = Watcher(lambda: self._seconds)

    def detect(self, frame: Frame) -> tuple[Float32, Float32]:
        """Boxes [n,4] (xyxy, pixels of the picture) and scores [n], best first."""
        release = self._loaded.active.release
        self._seconds = frame.seconds
        self.watcher.picture(frame.picture)
        given, place = preprocess(frame.picture, release.input)
        start = time.perf_counter()
        outputs = self._loaded.session.run(given[None])
        self.timing.infer.append((time.perf_counter() - start) * 1000)
        self.watcher.tap(self._loaded, given[None], outputs)
        found = decide(release.task, outputs, 0, self._low)
        boxes = np.asarray(found.boxes, np.float32).reshape(-1, 4)
        return place.to_picture(boxes), np.asarray(found.scores, np.float32)


class Watch:
    """Tracker, line and heat map over one stream; collects what the outputs need."""

    def __init__(self, stream: Stream, line: Line | None, settings: TrackerSettings) -> None:
        self._stream = stream
        self._tracker = Tracker(settings)
        self._counter = LineCounter(line) if line else None
        self._heat: HeatMap | None = None
        self._next_second = 0.0
        self.counts = {"in": 0, "out": 0}
        self.marks: list[Marks] = []
        self.crossings: list[Crossing] = []
        self.over_time: list[tuple[float, int]] = []

    def step(self, frame: Frame, boxes: Float32, scores: Float32) -> list[Crossing]:
        """Take one frame's detections; the crossings that became certain in it."""
        if self._heat is None:
            self._heat = HeatMap(frame.picture.shape[1], frame.picture.shape[0])
            self._next_second = frame.seconds
        tracks = self._tracker.step(boxes, scores)
        crossings = self._counter.step(frame.index, tracks) if self._counter else []
        for crossing in crossings:
            self.counts[crossing.direction] += 1
        self.crossings.extend(crossings)
        self._heat.step(frame.picture, tracks)
        confirmed = tuple(view for view in tracks if view.confirmed)
        counts = (self.counts["in"], self.counts["out"]) if self._counter else None
        self.marks.append(Marks(frame.index, confirmed, counts))
        if frame.seconds >= self._next_second:
            self.over_time.append((round(frame.seconds, 3), sum(self.counts.values())))
            self._next_second += 1.0
        return crossings

    def heatmap(self) -> bytes:
        """The heat map as a PNG."""
        assert self._heat is not None
        return self._heat.png()


@dataclass(frozen=True)
class DetectionRun:
    """What to run and where its outputs go."""

    active: Active
    session: Session
    stream: Stream
    line: Line | None
    out: Path
    clip: bool = True


def run_detection(run: DetectionRun, progress: Progress) -> RunReport:
    """Watch the stream to its end and write events.jsonl, heatmap.png, annotated.mp4, run.json.

    Raises InputError (unreadable stream), MissingError, RefusedError, StorageError.
    """
    durable.make_folder(run.out)
    with durable.storage(run.out):
        for name in ("run.json", "heatmap.png", "annotated.mp4"):  # nothing of an earlier run
            (run.out / name).unlink(missing_ok=True)
    threshold = run.active.release.operating_point.score_threshold
    settings = tracker_settings(threshold, run.stream.fps)
    detector = Detector(run.active, run.session, settings.low_score)
    watch = Watch(run.stream, run.line, settings)
    _watch(run, detector, watch, progress)
    durable.write(run.out / "heatmap.png", watch.heatmap())
    if run.clip:
        _write_clip(run, watch, progress)
    report = run_report(
        run.active,
        run.stream.name,
        detector.timing,
        watch.marks[0].index,
        watch.counts,
        watch.over_time,
    )
    report = msgspec.structs.replace(report, watch=detector.watcher.summary())
    durable.write(run.out / "run.json", encode(report))
    return report


def _watch(run: DetectionRun, detector: Detector, watch: Watch, progress: Progress) -> None:
    path = run.out / "events.jsonl"
    times: dict[int, float] = {}
    with durable.storage(path), path.open("wb") as file:
        for frame in run.stream.frames(run.stream.first, run.stream.count):
            start = time.perf_counter()
            boxes, scores = detector.detect(frame)
            crossings = watch.step(frame, boxes, scores)
            times[frame.index] = frame.seconds
            for crossing in crossings:
                event = _event(run, crossing, times[crossing.frame])
                file.write(msgspec.json.encode(event) + b"\n")
                file.flush()
            detector.timing.frame.append((time.perf_counter() - start) * 1000)
            progress(len(times), run.stream.count or 0, f"frame {frame.index}")
    if not times:
        raise InputError(f"stream {run.stream.name} has no frames from {run.stream.first} on")


def _event(run: DetectionRun, crossing: Crossing, seconds: float) -> LineCrossed:
    return LineCrossed(
        stream=run.stream.name,
        frame=crossing.frame,
        seconds=round(seconds, 3),
        track=crossing.track,
        direction=crossing.direction,
        release=run.active.slot.release.sha256,
    )


def _write_clip(run: DetectionRun, watch: Watch, progress: Progress) -> None:
    indices = [marks.index for marks in watch.marks]
    length = max(1, round(CLIP_S * run.stream.fps))
    first, last = liveliest(indices, [c.frame for c in watch.crossings], length)
    progress(len(indices), len(indices), f"clip of frames {first} to {last}")
    chosen = [marks for marks in watch.marks if first <= marks.index <= last]
    frames = run.stream.frames(first, last - first + 1)
    write_clip(run.out / "annotated.mp4", frames, chosen, run.line, run.stream.fps)
