"""Golden cases: pictures with what each variant decided, for a branch to check on its own CPU."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_runtime.contract import (
    Decisions,
    FileRef,
    Golden,
    GoldenCase,
    OperatingPoint,
    Task,
    Tolerance,
    decide,
    digest,
)
from edgefactory.compress.subjects import Specialist

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class GoldenFiles:
    """`golden.json`, and its pictures (PNG) by SHA-256."""

    golden: Golden
    pictures: Mapping[str, bytes]


def golden_cases(
    task: Task,
    models: Sequence[Specialist],
    pictures: Sequence[UInt8],
    point: OperatingPoint,
    tolerance: Tolerance,
    built_from: Mapping[str, str],
) -> GoldenFiles:
    """One case a picture: its PNG at input size, and each variant's decisions about it.

    `built_from`: variants whose device builds the engine, each with the model that runs its file
    here; what that decides is expected of them.

    Decisions are taken from the threshold less the tolerance up, so that one which crosses the
    threshold on another CPU can be told from one which is missing.
    """
    lowest = max(0.0, point.score_threshold - tolerance.score)
    files: dict[str, bytes] = {}
    cases: list[GoldenCase] = []
    for picture in pictures:
        batch, _ = models[0].prepare(picture)
        content = _png(batch[0])
        ref = FileRef(sha256=digest(content), bytes=len(content))
        if ref.sha256 in files:
            continue
        files[ref.sha256] = content
        expected: dict[str, Decisions] = {
            model.subject.name: decide(task, model.session.run(batch), 0, lowest)
            for model in models
        }
        expected |= {name: expected[model] for name, model in built_from.items()}
        cases.append(GoldenCase(picture=ref, expected=expected))
    return GoldenFiles(Golden(cases=tuple(cases), tolerance=tolerance), files)


def _png(picture: UInt8) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=False)
    return stream.getvalue()
