"""ReLU stands where Hardswish and SiLU were, and the checkpoint says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edgefactory.compress.finetuning import Finetuning, use_relu
from edgefactory.datasets.errors import InputError
from edgefactory.training import Recipe, export_onnx

MakeJob = Callable[..., Finetuning]

pytestmark = pytest.mark.component

MOBILE = Recipe(
    task="classification",
    model="torchvision/mobilenet_v3_small",
    resolution=(32, 32),
    batch=6,
    threads=1,
    precision="32",
)


def test_the_export_has_no_hardswish_left(job: MakeJob, tmp_path: Path) -> None:
    work = job(MOBILE)
    made = use_relu(work)
    assert made.lineage.changes is not None
    assert made.lineage.changes.activation == "relu"
    before = _operators(export_onnx(work.checkpoint, tmp_path / "before.onnx").path)
    after = _operators(export_onnx(made.folder, tmp_path / "after.onnx").path)
    assert "HardSwish" in before
    assert "HardSwish" not in after


def test_a_network_without_them_is_refused(job: MakeJob) -> None:
    plain = Recipe(task="classification", resolution=(16, 16), width=16, batch=4, threads=1)
    with pytest.raises(InputError, match="no layer of Hardswish or SiLU"):
        use_relu(job(plain))


def _operators(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node}
