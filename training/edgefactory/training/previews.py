"""A picture of what a network says about the val split, beside what its labels say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from edgefactory.training.examples import Examples
from edgefactory.training.networks import Network
from edgefactory.training.recipe import Recipe
from edgefactory.training.run import Data
from edgefactory.training.scoring import Arrays, answers
from edgefactory.training.targets import ClassTargets, Marks

_MOST: Final = 12  # pictures
_COLUMNS: Final = 4
_TILE: Final = (240, 180)  # at most, width and height
_STRIP: Final = 18  # of text below a tile
_GAP: Final = 6
_SHOWN: Final = 0.3  # score from which a box is drawn
_NEIGHBOURS: Final = 3
_SAID, _TRUE, _WRONG, _PAPER, _INK = "#0077bb", "#009e73", "#cc3311", "white", "#222222"

UInt8 = npt.NDArray[np.uint8]


def preview(network: Network, data: Data, recipe: Recipe) -> Image.Image:
    """Some pictures of the val split (or of the train split, where there is none).

    Boxes that the network says are blue with their score, labels green; a class is written below,
    red where it is wrong; an embedding shows the nearest other pictures, green where they are of
    the same identity.
    """
    examples = data.judged or data.learned
    chosen = np.linspace(0, len(examples) - 1, min(_MOST, len(examples))).round().astype(int)
    if recipe.task == "embedding":
        return _neighbours(network, examples, chosen[: _MOST // 2])
    found = answers(network, examples.pictures[chosen])
    if recipe.task == "detection":
        marks = examples.targets
        assert not isinstance(marks, ClassTargets)
        tiles = [
            _boxes(examples.pictures[n], marks[n], [part[row] for part in found])
            for row, n in enumerate(chosen)
        ]
    else:
        tiles = [
            _class(examples, int(n), found[0][row], data.classes) for row, n in enumerate(chosen)
        ]
    return _sheet(tiles, _COLUMNS)


def _boxes(picture: UInt8, marks: Marks, found: Arrays) -> Image.Image:
    tile, scale = _tile(picture)
    draw = ImageDraw.Draw(tile)
    for box, ignore in zip(marks.boxes, marks.ignore, strict=True):
        draw.rectangle(_scaled(box, scale), outline="#999999" if ignore else _TRUE, width=1)
    boxes, scores = found[0], np.asarray(found[1], np.float32)
    for box, score in zip(boxes, scores, strict=True):
        if score >= _SHOWN:
            at = _scaled(box, scale)
            draw.rectangle(at, outline=_SAID, width=2)
            draw.text((at[0] + 2, at[1]), f"{score:.2f}", _SAID, font=_font())
    return _framed(tile, f"{int((scores >= _SHOWN).sum())} said, {len(marks)} labelled", _INK)


def _class(
    examples: Examples, number: int, probabilities: npt.NDArray[np.generic], classes: Sequence[str]
) -> Image.Image:
    targets = examples.targets
    assert isinstance(targets, ClassTargets)
    best, true = int(np.argmax(probabilities)), int(targets.labels[number])
    text = f"{classes[best]} {float(np.max(probabilities)):.2f}"
    right = best == true
    tile, _ = _tile(examples.pictures[number])
    return _framed(
        tile, text if right else f"{text}, not {classes[true]}", _INK if right else _WRONG
    )


def _neighbours(network: Network, examples: Examples, chosen: npt.NDArray[np.int64]) -> Image.Image:
    """Each chosen picture and the nearest others of the split."""
    found = answers(network, examples.pictures)[0].astype(np.float64)
    targets = examples.targets
    assert isinstance(targets, ClassTargets)
    near = found @ found.T
    np.fill_diagonal(near, -np.inf)
    tiles = []
    for n in chosen:
        tiles.append(_framed(_tile(examples.pictures[n])[0], "asked", _INK))
        for other in np.argsort(-near[n])[:_NEIGHBOURS]:
            same = bool(targets.labels[other] == targets.labels[n])
            tile, _ = _tile(examples.pictures[other])
            tiles.append(_framed(tile, f"{near[n, other]:.2f}", _TRUE if same else _WRONG))
    return _sheet(tiles, 1 + min(_NEIGHBOURS, len(examples)))


def _tile(picture: UInt8) -> tuple[Image.Image, float]:
    """The picture as large as a tile allows, and how much it was enlarged."""
    image = Image.fromarray(picture)
    scale = min(_TILE[0] / image.width, _TILE[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    smooth = Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST
    return image.resize(size, smooth), scale


def _scaled(box: npt.NDArray[np.generic], scale: float) -> tuple[float, float, float, float]:
    """A box in pixels of a tile; sides that have crossed are put right."""
    x0, y0, x1, y1 = (float(value) * scale for value in np.asarray(box, np.float64))
    return x0, y0, max(x0, x1), max(y0, y1)


def _framed(tile: Image.Image, text: str, colour: str) -> Image.Image:
    framed = Image.new("RGB", (tile.width, tile.height + _STRIP), _PAPER)
    framed.paste(tile, (0, 0))
    ImageDraw.Draw(framed).text((2, tile.height + 1), text, colour, font=_font())
    return framed


def _sheet(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    wide = max(tile.width for tile in tiles) + _GAP
    high = max(tile.height for tile in tiles) + _GAP
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * wide + _GAP, rows * high + _GAP), _PAPER)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        sheet.paste(tile, (column * wide + _GAP, row * high + _GAP))
    return sheet


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(12)
