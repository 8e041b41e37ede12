"""A short annotated clip: boxes with track numbers, trails, the line and its counter.

VP9 in MP4: plays in browsers, and its encoder (libvpx) is under a BSD licence, while the H.264
encoder in PyAV's wheels is under the GPL.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge_runtime import durable
from edge_runtime.errors import MissingError
from edge_runtime.streams.lines import Line
from edge_runtime.streams.sources import Frame
from edge_runtime.streams.tracker import TrackView

if TYPE_CHECKING:
    import av.container

CLIP_S = 12.0
BIT_RATE = 1_500_000  # 12 s of it are 2.3 MB
TRAIL_FRAMES = 25
_COLOURS = ("#4cc9f0", "#f72585", "#b8f35d", "#ffb703", "#9d7bff", "#ff7b54", "#2ec4b6", "#ffd6e0")


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn on one frame: confirmed tracks, and the counts so far (None: no line)."""

    index: int
    tracks: tuple[TrackView, ...]
    counts: tuple[int, int] | None


def liveliest(frames: Sequence[int], crossings: Sequence[int], length: int) -> tuple[int, int]:
    """The span [first, last] of `length` frame indices that holds the most crossings.

    Of several the earliest, led by a second's worth of frames where there is room.
    """
    first, last = frames[0], frames[-1]
    if last - first < length:
        return first, last
    lead = length // 12
    starts = [first, *(min(max(first, c - lead), last - length + 1) for c in crossings)]

    def held(start: int) -> int:
        return sum(start <= c < start + length for c in crossings)

    start = max(sorted(starts), key=held)
    return start, start + length - 1


def write_clip(
    path: Path, frames: Iterable[Frame], marks: Sequence[Marks], line: Line | None, fps: float
) -> None:
    """Draw `marks` on the `frames` that they speak of and encode them as an MP4 at `path`.

    Raises MissingError (no PyAV, no encoder), StorageError.
    """
    try:
        import av
    except ImportError as error:
        raise MissingError("a clip needs PyAV: pip install 'edgefactory-runtime[video]'") from error
    if "libvpx-vp9" not in av.codecs_available:
        raise MissingError("this PyAV has no VP9 encoder; install the wheel, or use --no-clip")
    by_index = {m.index: m for m in marks}
    painter = _Painter(line)
    pictures = (painter.paint(f, by_index[f.index]) for f in frames if f.index in by_index)
    temporary = path.with_name(f".{path.name}.tmp")
    rate = Fraction(fps).limit_denominator(1000)
    with durable.storage(path):
        try:
            with av.open(
                str(temporary), "w", format="mp4", options={"movflags": "+faststart"}
            ) as container:
                _encode(container, pictures, rate)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _encode(
    container: "av.container.OutputContainer", pictures: Iterable[Image.Image], rate: Fraction
) -> None:
    import av

    options = {"deadline": "realtime", "cpu-used": "8"}
    stream = container.add_stream("libvpx-vp9", rate=rate, options=options)
    stream.pix_fmt, stream.bit_rate, stream.thread_count = "yuv420p", BIT_RATE, 1
    for number, picture in enumerate(pictures):
        if number == 0:  # chroma is halved, so sides are even
            stream.width, stream.height = picture.width // 2 * 2, picture.height // 2 * 2
        pixels = np.asarray(picture)[: stream.height, : stream.width]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


class _Painter:
    """Draws marks on frames, and remembers the trails between them."""

    def __init__(self, line: Line | None) -> None:
        self._line = line
        self._trails: dict[int, deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=TRAIL_FRAMES)
        )
        self._small = ImageFont.load_default(13)
        self._large = ImageFont.load_default(20)

    def paint(self, frame: Frame, marks: Marks) -> Image.Image:
        picture = Image.fromarray(frame.picture)
        draw = ImageDraw.Draw(picture)
        if self._line is not None:
            draw.line((*self._line.start, *self._line.end), fill="#ffffff", width=4)
            draw.line((*self._line.start, *self._line.end), fill="#e63946", width=2)
        for view in marks.tracks:
            colour = _COLOURS[view.track % len(_COLOURS)]
            trail = self._trails[view.track]
            trail.append(view.foot)
            if len(trail) > 1:
                draw.line(list(trail), fill=colour, width=2, joint="curve")
            draw.rectangle(view.box, outline=colour, width=2)
            self._label(draw, (view.box[0], view.box[1] - 17), f"{view.track}", colour)
        if marks.counts is not None:
            text = f"in {marks.counts[0]}   out {marks.counts[1]}"
            draw.rectangle((8, 8, 24 + draw.textlength(text, self._large), 40), fill="#1d1d1f")
            draw.text((16, 12), text, fill="#ffffff", font=self._large)
        return picture

    def _label(
        self, draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: str
    ) -> None:
        x, y = at[0], max(0.0, at[1])
        draw.rectangle((x, y, x + 8 + draw.textlength(text, self._small), y + 17), fill=colour)
        draw.text((x + 4, y + 1), text, fill="#111111", font=self._small)
