"""What a compression is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from edgefactory.compress.mixed import Margins
from edgefactory.compress.settings import CompressSettings
from edgefactory.training.tuning.budgets import Budget

Method = Literal["mixed", "qat", "relu", "prune"]

METHODS: Final[tuple[Method, ...]] = get_args(Method)


@dataclass(frozen=True)
class Wishes:
    """What is to be compressed, and within what.

    `checkpoint` was trained on `snapshot`; what is made appears in `out`. `settings` has the
    targets and how many pictures INT8 is calibrated on. `margins` say what may be lost against the
    FP32 ONNX model, `budgets` (of no form) what the chosen file may cost. `methods` beyond export
    and post-training quantization are tried where they are needed: "mixed" leaves layers in float
    where INT8 loses too much, "qat", "relu" and "prune" let the network learn again. `cap` is how
    much memory quantizing with NNCF may take, in MiB.
    """

    checkpoint: Path
    snapshot: Path
    out: Path
    settings: CompressSettings = field(default_factory=CompressSettings)
    margins: Margins = field(default_factory=Margins)
    budgets: tuple[Budget, ...] = ()
    methods: tuple[Method, ...] = METHODS
    cap: int | None = None
