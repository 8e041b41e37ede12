"""Boxes of single frames become tracks of objects.

Two-stage association in the spirit of ByteTrack (Zhang et al., ECCV 2022, arXiv:2110.06864):
confident detections are paired first, then detections of low score, which are mostly occluded
objects, may continue a track but never begin one. Motion is a constant-velocity Kalman filter
per coordinate, with noise in proportion to the object's height (as in DeepSORT, Wojke et al.,
2017, arXiv:1703.07402). A box is followed by its foot point, since that is where a person
stands: (x, y) of the bottom centre, then width and height.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import iou_matrix
from edge_runtime.streams.assignment import assign

Floats = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrackerSettings:
    """What the tracker believes. Overlaps are intersection over union; times are in frames."""

    high_score: float = 0.5  # from here on a detection may begin a track
    low_score: float = 0.1  # from here on it may continue one
    first_overlap: float = 0.2  # least overlap × score for a confident detection
    second_overlap: float = 0.5  # least overlap for a detection of low score
    confirm_hits: int = 3  # seen so often, a track is an object
    patience: int = 25  # a confirmed track unseen for longer is gone
    tentative_patience: int = 1  # so is an unconfirmed one
    reach: float = 0.8  # a lost track is found again within so many of its heights
    apart: float = 0.15  # two feet nearer than this share of their height are the same object's
    cut_share: float = 0.8  # a covered box lower than this share of its height hides its feet


class TrackView(NamedTuple):
    """A track seen in this frame; box (xyxy) and foot (x, y) are smoothed, in picture pixels."""

    track: int
    box: tuple[float, float, float, float]
    foot: tuple[float, float]
    score: float
    confirmed: bool


# Standard deviations in heights, of DeepSORT; sizes keep still, so they have no velocity.
_POSITION, _VELOCITY = 1 / 20, 1 / 160
_MOVES = np.array([1.0, 1.0, 0.0, 0.0])
_FAR = 1e6


@dataclass
class _Track:
    """Mean and variance of (foot x, foot y, width, height) and of their velocities."""

    track: int
    at: Floats
    score: float
    speed: Floats = field(default_factory=lambda: np.zeros(4))
    var: Floats = field(init=False)
    covar: Floats = field(default_factory=lambda: np.zeros(4))
    speed_var: Floats = field(init=False)
    hits: int = 1
    unseen: int = 0
    confirmed: bool = False

    def __post_init__(self) -> None:
        height = self.at[3]
        self.var = np.full(4, (2 * _POSITION * height) ** 2)
        self.speed_var = _MOVES * (10 * _VELOCITY * height) ** 2

    def predict(self) -> None:
        height = self.at[3]
        self.at = self.at + self.speed
        self.var = self.var + 2 * self.covar + self.speed_var + (_POSITION * height) ** 2
        self.covar = self.covar + self.speed_var
        self.speed_var = self.speed_var + _MOVES * (_VELOCITY * height) ** 2
        self.unseen += 1

    def uncovered(self, measured: Floats, cut_share: float) -> Floats:
        """What would be measured if nobody stood in front: the head, and the height known."""
        if not self.confirmed or measured[3] >= cut_share * self.at[3]:
            return measured
        top = measured[1] - measured[3]
        return np.array([measured[0], top + self.at[3], measured[2], self.at[3]])

    def update(self, measured: Floats, score: float) -> None:
        total = self.var + (_POSITION * self.at[3]) ** 2
        gain, speed_gain = self.var / total, self.covar / total
        surprise = measured - self.at
        self.at = self.at + gain * surprise
        self.speed = self.speed + speed_gain * surprise
        self.speed_var = self.speed_var - speed_gain * self.covar
        self.var, self.covar = (1 - gain) * self.var, (1 - gain) * self.covar
        self.score, self.unseen = score, 0
        self.hits += 1

    def box(self) -> tuple[float, float, float, float]:
        x, y, width, height = (float(v) for v in self.at)
        return x - width / 2, y - height, x + width / 2, y


class _Detections(NamedTuple):
    """One frame's detections: boxes (xyxy), as measured (foot x, foot y, width, height), scores,
    and whether somebody in front hides the feet."""

    boxes: Float32
    measured: Floats
    scores: Floats
    covered: npt.NDArray[np.bool_]


class Tracker:
    """Follows objects from frame to frame; `step` is called once a frame, in order.

    `settings` may be replaced between two frames.
    """

    def __init__(self, settings: TrackerSettings) -> None:
        self.settings = settings
        self._tracks: list[_Track] = []
        self._next = 1

    def step(self, boxes: Float32, scores: Float32) -> list[TrackView]:
        """Take one frame's detections (boxes [n,4] xyxy, scores [n]); the tracks seen in it."""
        settings = self.settings
        for track in self._tracks:
            track.predict()
        seen = _detections(boxes, scores, settings.apart)
        sure = seen.scores >= settings.high_score
        high = [int(i) for i in np.flatnonzero(sure)]
        low = [int(i) for i in np.flatnonzero(~sure & (seen.scores >= settings.low_score))]

        confirmed = [t for t in self._tracks if t.confirmed]
        free, high = self._pair(confirmed, high, seen, confident=True)
        self._pair([t for t in free if t.unseen == 1], low, seen, confident=False)
        high = self._find_again([t for t in free if t.unseen > 0], high, seen)
        tentative = [t for t in self._tracks if not t.confirmed]
        _, high = self._pair(tentative, high, seen, confident=True)
        for index in high:
            self._tracks.append(_Track(self._next, seen.measured[index], float(seen.scores[index])))
            self._next += 1
        return self._settle()

    @property
    def alive(self) -> frozenset[int]:
        """The tracks that may still be seen again."""
        return frozenset(track.track for track in self._tracks)

    def _pair(
        self, tracks: list[_Track], chosen: list[int], seen: _Detections, confident: bool
    ) -> tuple[list[_Track], list[int]]:
        """Continue `tracks` by the `chosen` detections that overlap; what is left of both."""
        if not tracks or not chosen:
            return tracks, chosen
        predicted = np.array([t.box() for t in tracks], np.float32)
        overlap = iou_matrix(predicted, seen.boxes[chosen]).astype(np.float64)
        if confident:
            overlap = overlap * seen.scores[chosen]
        least = self.settings.first_overlap if confident else self.settings.second_overlap
        return self._continue(tracks, chosen, seen, assign(1 - overlap, 1 - least))

    def _find_again(self, lost: list[_Track], chosen: list[int], seen: _Detections) -> list[int]:
        """Continue lost tracks by detections near to where they should be; what is left."""
        if not lost or not chosen:
            return chosen
        at = np.array([t.at for t in lost])[:, None]
        found = seen.measured[chosen][None]
        away = np.hypot(found[..., 0] - at[..., 0], found[..., 1] - at[..., 1]) / at[..., 3]
        ratio = found[..., 3] / at[..., 3]
        cost = np.where((ratio > 0.6) & (ratio < 1.6), away, _FAR)
        return self._continue(lost, chosen, seen, assign(cost, self.settings.reach))[1]

    def _continue(
        self,
        tracks: list[_Track],
        chosen: list[int],
        seen: _Detections,
        pairs: list[tuple[int, int]],
    ) -> tuple[list[_Track], list[int]]:
        for row, column in pairs:
            index = chosen[column]
            measured = seen.measured[index]
            if seen.covered[index]:
                measured = tracks[row].uncovered(measured, self.settings.cut_share)
            tracks[row].update(measured, float(seen.scores[index]))
        rows, columns = {r for r, _ in pairs}, {c for _, c in pairs}
        return (
            [t for i, t in enumerate(tracks) if i not in rows],
            [d for i, d in enumerate(chosen) if i not in columns],
        )

    def _settle(self) -> list[TrackView]:
        settings = self.settings
        kept = []
        for track in self._tracks:
            track.confirmed = track.confirmed or track.hits >= settings.confirm_hits
            patience = settings.patience if track.confirmed else settings.tentative_patience
            if track.unseen <= patience and track.at[2] > 1 and track.at[3] > 1:
                kept.append(track)
        self._tracks = kept
        return [_view(track) for track in kept if track.unseen == 0]


def _view(track: _Track) -> TrackView:
    foot = (float(track.at[0]), float(track.at[1]))
    return TrackView(track.track, track.box(), foot, track.score, track.confirmed)


def _detections(boxes: Float32, given: Float32, apart: float) -> _Detections:
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    x0, y0, x1, y1 = boxes.astype(np.float64).T
    measured = np.stack([(x0 + x1) / 2, y1, x1 - x0, y1 - y0], axis=1)
    scores = np.asarray(given, np.float64)
    kept = _distinct(measured, scores, apart)
    measured = measured[kept]
    return _Detections(boxes[kept], measured, scores[kept], _covered(measured))


def _distinct(measured: Floats, scores: Floats, apart: float) -> list[int]:
    """The boxes of some size, best first, without those that stand where a better one stands."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        x, foot, width, height = measured[index]
        if not (width > 0 and height > 0):
            continue
        away = np.hypot(measured[kept, 0] - x, measured[kept, 1] - foot)
        if not (away < apart * np.minimum(measured[kept, 3], height)).any():
            kept.append(int(index))
    return kept


def _covered(measured: Floats) -> npt.NDArray[np.bool_]:
    """Which boxes end at a box that stands nearer to the camera: its foot is lower down."""
    x, foot, width, height = measured.T
    shared = (width[:, None] + width[None]) / 2 - np.abs(x[:, None] - x[None])
    beside = shared > 0.3 * width[:, None]
    nearer = foot[None] > foot[:, None] + 0.05 * height[:, None]
    touching = (foot - 1.1 * height)[None] < foot[:, None]
    covered: npt.NDArray[np.bool_] = (beside & nearer & touching).any(axis=1)
    return covered
