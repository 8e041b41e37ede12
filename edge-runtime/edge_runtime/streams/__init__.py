"""What happens to a stream: source → model → tracker → line → events, heat map and clip.

Trackers, lines and maps are plain values and functions of arrays; only sources, the clip and
the runs touch files.
"""

from edge_runtime.streams.heatmap import HeatMap
from edge_runtime.streams.lines import Crossing, Line, LineCounter
from edge_runtime.streams.sources import Frame, pictures_in, video
from edge_runtime.streams.tracker import Tracker, TrackerSettings, TrackView

__all__ = [
    "Crossing",
    "Frame",
    "HeatMap",
    "Line",
    "LineCounter",
    "TrackView",
    "Tracker",
    "TrackerSettings",
    "pictures_in",
    "video",
]
