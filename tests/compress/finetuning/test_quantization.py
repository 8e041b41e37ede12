"""The portable INT8 file computes what the network has learned to compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch

from edgefactory.compress.conversion import calibration
from edgefactory.compress.finetuning import Finetuning, train_quantized
from edgefactory.compress.finetuning.folding import fold
from edgefactory.compress.finetuning.grids import Inputs, lay_grids
from edgefactory.compress.graph import parse
from edgefactory.compress.portable import quantize_portable, scale_of
from edgefactory.datasets import read_snapshot
from edgefactory.training import Checkpoint, Recipe, export_onnx, load_checkpoint
from edgefactory.training.networks import Graph

MakeJob = Callable[..., Finetuning]

pytestmark = pytest.mark.component

CLASSIFIER = Recipe(
    task="classification", resolution=(32, 32), width=16, batch=6, threads=1, precision="32"
)
RESIDUAL = msgspec.structs.replace(CLASSIFIER, model="torchvision/resnet18")


@pytest.mark.parametrize("recipe", [CLASSIFIER, RESIDUAL])
def test_the_file_computes_what_was_trained(recipe: Recipe, job: MakeJob, tmp_path: Path) -> None:
    work = job(recipe)
    made = train_quantized(work)
    pictures = calibration(4, made, read_snapshot(work.snapshot), work.snapshot)
    fp32 = export_onnx(made.folder, tmp_path / "fp32.onnx").path.read_bytes()
    portable = quantize_portable(fp32, pictures, ranges=made.ranges)
    graph = parse(portable, "it")
    for node in graph.nodes:
        if node.name in made.ranges:
            step = made.ranges[node.name] / 127
            assert scale_of(graph, node.input[0]) == pytest.approx(step)
    session = onnxruntime.InferenceSession(portable, providers=["CPUExecutionProvider"])
    (told,) = session.run(None, {"image": np.stack(pictures)})
    np.testing.assert_allclose(told, _on_grids(made, np.stack(pictures)), atol=0.02)


def test_the_checkpoint_has_the_layers_that_it_had(job: MakeJob) -> None:
    work = job(CLASSIFIER)
    made, before = train_quantized(work), load_checkpoint(work.checkpoint)
    assert made.network().state_dict().keys() == before.network().state_dict().keys()
    assert made.ranges
    assert not before.ranges


@torch.no_grad()
def _on_grids(made: Checkpoint, pictures: np.ndarray) -> np.ndarray:  # type: ignore[type-arg] # bytes in, numbers out
    """What torch says with the checkpoint's ranges laid over its network."""
    network = made.network()
    pixels = torch.from_numpy(pictures)
    fold(network, pixels.permute(0, 3, 1, 2).float())
    with Inputs(network) as inputs:
        inputs.look(pixels.permute(0, 3, 1, 2).float())
    lay_grids(network, made.ranges, tuple(inputs.bytes.items()))
    told = Graph(network).eval()(pixels)[0].numpy()
    assert isinstance(told, np.ndarray)
    return told
