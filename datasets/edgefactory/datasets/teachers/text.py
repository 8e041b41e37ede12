"""The text teacher: PP-OCR's detector, whose map of "text here" is decoded as DB does it.

Differentiable Binarization (Liao 2020): the map is cut at a threshold, each connected part is
a line of text that training shrank, so it is grown again by area × ratio / perimeter. Ours are
upright boxes; a slanted line gets the box around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers.engines import Array, load
from edgefactory.datasets.teachers.found import Found
from edgefactory.datasets.teachers.graphs import (
    GraphOptions,
    GraphTeacher,
    digest_of,
    preparation,
    read_graph,
)
from edgefactory.datasets.teachers.spec import (
    EngineSettings,
    NoOptions,
    TeacherSpec,
    names_of,
    options_of,
)

# These are the package's own settings.
_CUT: Final = 0.3
_GROWTH: Final = 1.6
_MOST: Final = 1000
_THINNEST: Final = 3  # pixels of the map
_SHORT, _LONG = 736, 2000  # the input's shorter side is at least, the longer at most


def open_text(spec: TeacherSpec, path: Path, engine: EngineSettings) -> GraphTeacher:
    """The text teacher in the ONNX file of `fetch_text`; small pictures are enlarged for it."""
    options_of(spec, NoOptions)
    files = read_graph(path)
    session = load(files, path.name, engine)
    shapes = [port.shape for port in session.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in {1, None}:
        told = ", ".join(map(str, session.outputs))
        raise InputError(f"teacher {path} gives {told}: it is not a text detector's map [1,1,H,W]")
    normal = GraphOptions(colour="BGR", mean="0.5/0.5/0.5", std="0.5/0.5/0.5")
    prepare = preparation(session.input, normal, path.name, _sizing)
    classes = names_of(spec, ("text",))
    return GraphTeacher(
        classes, "detection", digest_of(files), session, prepare, read_text, spec.min_score
    )


def read_text(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
    """Lines of text in the map of the network, in pixels of its input of `size`."""
    from scipy import ndimage

    (values,) = outputs.values()
    shares = values[0, 0].astype(np.float32)
    cut = ndimage.binary_dilation(shares > _CUT, np.ones((2, 2), bool))
    parts, count = ndimage.label(cut, np.ones((3, 3), bool))
    index = np.arange(1, count + 1)
    areas = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    largest = np.sort(np.argsort(-areas, kind="stable")[:_MOST])
    slices = ndimage.find_objects(parts)
    corners = np.asarray(
        [
            [slices[i][1].start, slices[i][0].start, slices[i][1].stop, slices[i][0].stop]
            for i in largest
        ],
        np.float32,
    ).reshape(-1, 4)
    scores = np.asarray(ndimage.mean(shares, parts, index[largest]), np.float32).reshape(-1)
    sides = corners[:, 2:] - corners[:, :2]
    growth = areas[largest] * _GROWTH / (2 * sides.sum(axis=1))
    boxes = corners + growth[:, None] * np.asarray([-1, -1, 1, 1], np.float32)
    thick = sides.min(axis=1, initial=np.inf) >= _THINNEST
    scale = np.asarray([*size, *size], np.float32) / np.asarray(shares.shape[::-1] * 2, np.float32)
    boxes = (boxes * scale).astype(np.float32)
    return Found(boxes[thick], scores[thick], np.zeros(int(thick.sum()), np.int64))


def _sizing(width: int, height: int) -> tuple[int, int]:
    """The picture's size, enlarged or reduced to what the network knows, in steps of 32."""
    ratio = max(1.0, _SHORT / min(width, height))
    ratio = min(ratio, _LONG / max(width, height))
    return _step(width * ratio), _step(height * ratio)


def _step(side: float) -> int:
    return max(32, round(side / 32) * 32)
