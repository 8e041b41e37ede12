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
from edgefactory.compress.mixed import worst
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
        if attempt.form.startswith(PORTABLE):
            work.qdq = model.files[model.main]
    if "tensorrt" in wishes.settings.targets and work.qdq:
        add_tensorrt(work)
    write_variants(work, network.checkpoint, wishes.out / VARIANTS)


def _place(attempt: Attempt) -> float:
    return attempt.bench.latency_ms if attempt.bench else math.inf
