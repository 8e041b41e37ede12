"""What a model decided about a picture, in names and in pixels of that picture; it draws itself."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL import ImageDraw

from edge_runtime import durable
from edge_runtime.contract import Decisions, Placement, Release
from edge_runtime.engines import UInt8
from edge_runtime.errors import RefusedError

_COLOURS = ("#4cc9f0", "#f72585", "#b8f35d", "#ffb703", "#9d7bff", "#ff7b54", "#2ec4b6", "#ffd6e0")
_INK = "#111111"
_LEAST_SIDE = 160  # a smaller picture is enlarged before anything is written on it


@dataclass(frozen=True)
class Decision:
    """A label by its name, its score from 0 to 1, and for a detection its box: xyxy in pixels of
    the picture that was given."""

    label: str
    score: float
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Result:
    """The decisions about a picture, best first, by which release; `ms` is the engine's time.

    A model of embeddings decides nothing; `embedding` has its numbers, of unit length. `seconds` is
    where the picture begins in its recording, if it is one of a recording.
    """

    model: str
    version: str
    decisions: tuple[Decision, ...]
    ms: float
    picture: UInt8 = field(repr=False, compare=False)
    embedding: tuple[float, ...] | None = None
    seconds: float | None = None

    def draw(self) -> Image.Image:
        """The picture with its boxes, or with its class above it."""
        from PIL import ImageDraw, ImageFont

        height, width = self.picture.shape[:2]
        scale = max(1, -(-_LEAST_SIDE // min(height, width)))
        image = Image.fromarray(self.picture)
        image = image.resize((width * scale, height * scale), Image.Resampling.NEAREST)
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
        labels = sorted({decision.label for decision in self.decisions})
        for decision in reversed(self.decisions):  # the best on top
            colour = _COLOURS[labels.index(decision.label) % len(_COLOURS)]
            if decision.box is not None:
                _box(draw, tuple(scale * value for value in decision.box), colour)
            corner = (0.0, 0.0) if decision.box is None else decision.box[:2]
            _write(draw, (scale * corner[0], scale * corner[1]), decision, colour, font)
        return image

    def save(self, path: Path | str) -> None:
        """Write what `draw` shows as a PNG. Raises StorageError."""
        durable.write(Path(path), self._repr_png_())

    def plain(self) -> dict[str, Any]:
        """All but the picture, in what JSON knows."""
        decisions = [
            {"label": found.label, "score": found.score}
            | ({} if found.box is None else {"box": list(found.box)})
            for found in self.decisions
        ]
        told = {"embedding": self.embedding, "seconds": self.seconds}
        return {
            "model": self.model,
            "version": self.version,
            "decisions": decisions,
            **{name: value for name, value in told.items() if value is not None},
            "ms": self.ms,
        }

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        file = io.BytesIO()
        self.draw().save(file, "PNG")
        return file.getvalue()


def named(release: Release, found: Decisions, place: Placement) -> tuple[Decision, ...]:
    """The decisions `found` on the input of `release`, by name and in pixels of the picture.

    Raises RefusedError when the model decides for a class that has no name.
    """
    boxes = place.to_picture(np.asarray(found.boxes, np.float32).reshape(-1, 4)).tolist()
    decisions = []
    for number, (label, score) in enumerate(zip(found.labels, found.scores, strict=True)):
        if not 0 <= label < len(release.labels):
            raise RefusedError(f"the model decides for class {label}, which has no name")
        box = tuple(boxes[number]) if found.boxes else None
        decisions.append(Decision(release.labels[label], score, box))
    return tuple(decisions)


def _box(draw: "ImageDraw.ImageDraw", box: tuple[float, ...], colour: str) -> None:
    left, right = sorted((box[0], box[2]))
    top, bottom = sorted((box[1], box[3]))
    draw.rectangle((left, top, right, bottom), outline=colour, width=2)


def _write(
    draw: "ImageDraw.ImageDraw",
    at: tuple[float, float],
    decision: Decision,
    colour: str,
    font: Any,
) -> None:
    text = f"{decision.label} {decision.score:.2f}"
    wide = draw.textlength(text, font) + 8
    width, height = draw.im.size
    x = min(max(0.0, at[0]), max(0.0, width - wide))
    y = min(max(0.0, at[1] - 17), max(0.0, height - 17))
    draw.rectangle((x, y, x + wide, y + 17), fill=colour)
    draw.text((x + 4, y + 1), text, fill=_INK, font=font)
