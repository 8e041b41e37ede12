"""What was chosen, as the folder of variants that the stages after `compress` take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from edgefactory.compress.choosing.document import Attempt, Compression
from edgefactory.compress.choosing.executable import Executable
from edgefactory.compress.choosing.forms import PORTABLE
from edgefactory.compress.choosing.networks import NetworkFile
from edgefactory.compress.choosing.wishes import Wishes
from edgefactory.compress.conversion import Work, add_tensorrt, write_variants
from edgefactory.compress.graph import parse
from edgefactory.compress.mixed import worst
from edgefactory.compress.openvino_ir import pair_sums
from edgefactory.compress.saturation import LayerSums, layers_in_graph, survey
from edgefactory.datasets import Progress

UInt8 = npt.NDArray[np.uint8]

VARIANTS: Final = "variants"


def write_choice(
    found: Compression,
    models: Mapping[str, Executable],
    network: NetworkFile,
    wishes: Wishes,
    pictures: Sequence[UInt8],
    progress: Progress,
) -> None:
    """Write `out`/variants: the forms of the chosen network that keep the margins.

    The fastest comes first. All of them ship, because another box may be fastest with another. A
    TensorRT engine is built from the portable form, where that is a target and keeps the margins.
    """
    work = Work(wishes.settings, network.fp32, network.checkpoint.ranges, pictures, progress)
    here = [a for a in found.attempts if a.network == network.name]
    for attempt in sorted(here, key=_place):
        if not attempt.kept:
            work.skip(attempt.form, attempt.why or str(worst(attempt.drops)))
            continue
        model = models[attempt.name]
        main_first = {model.main: model.files[model.main], **model.files}
        work.add(attempt.form, attempt.engine, attempt.precision, main_first)
        if attempt.precision == "int8":
            sums = _sums(models.get(_source(attempt), model))
            work.note_sums(attempt.form, model.files[model.main], sums)
        if attempt.form.startswith(PORTABLE):
            work.qdq = model.files[model.main]
    if "tensorrt" in wishes.settings.targets and work.qdq:
        add_tensorrt(work)
    write_variants(work, network.checkpoint, wishes.out / VARIANTS)


def _place(attempt: Attempt) -> float:
    return attempt.bench.latency_ms if attempt.bench else math.inf


def _source(attempt: Attempt) -> str:
    """The attempt whose layers this one has: the lowered form hides those of the portable one."""
    return attempt.name.replace("/onnx-", f"/{PORTABLE}-")


def _sums(model: Executable) -> tuple[LayerSums, ...]:
    """What the pairs of an INT8 model's layers come to."""
    if model.main.endswith(".xml"):
        return pair_sums(model.files)
    return survey(layers_in_graph(parse(model.files[model.main], "the INT8 model")))
