"""Each kind of network says on ONNX Runtime and on OpenVINO what it says in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import openvino
import pytest
import torch

from edge_runtime.contract import decide
from edgefactory.training import Checkpoint, Recipe, export_onnx, load_checkpoint
from edgefactory.training.checkpoint import Metrics, TrainingLineage, write_checkpoint
from edgefactory.training.networks import build

pytestmark = pytest.mark.component

# A fixed number of pictures exports in less time; one of each decoding leaves it free.
DETECTORS = [
    ("specialist", None),
    ("timm/test_resnet", None),
    ("torchvision/ssdlite320_mobilenet_v3_large", None),
    ("torchvision/fcos_resnet50_fpn", 2),
]
WHOLE = [
    Recipe(task="classification", model="timm/test_efficientnet", resolution=(32, 32)),
    Recipe(task="embedding", resolution=(16, 16), width=16, embedding=8),
    Recipe(task="temporal", resolution=(29, 12), width=16, depth=2),
]
CLASSES = ("person", "dog", "cart")

Outputs = dict[str, npt.NDArray[Any]]


def lively(folder: Path, recipe: Recipe) -> Checkpoint:
    """A checkpoint whose network tells pictures, places and classes apart."""
    torch.manual_seed(1)
    network = build(recipe, len(CLASSES)).train()
    width, height = recipe.resolution
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith(("heat.weight", "cls_logits.weight")) or (
                "classification_head" in name and name.endswith("1.weight")
            ):
                torch.nn.init.normal_(value, std=0.3)
        for _ in range(3):
            network(torch.rand(4, 3, height, width) * 255)
    metrics = Metrics("metrics/1", "ap50", (), None, 0.0)
    lineage = TrainingLineage(
        schema="lineage/1",
        git_commit=None,
        snapshot_sha256="0" * 64,
        teacher_sha256=None,
        classes=CLASSES,
        seed=0,
        recipe=recipe,
        parameters=1,
        versions={},
    )
    folder.mkdir()
    write_checkpoint(folder, network.state_dict(), metrics, lineage)
    return load_checkpoint(folder)


def pictures(recipe: Recipe, count: int = 2) -> npt.NDArray[np.uint8]:
    """Smooth ones: noise alone looks the same everywhere."""
    width, height = recipe.resolution
    coarse = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)[:, :height, :width]


def in_torch(checkpoint: Checkpoint, batch: npt.NDArray[np.uint8]) -> Outputs:
    with torch.no_grad():
        said = checkpoint.graph()(torch.from_numpy(np.ascontiguousarray(batch)))
    return {n: part.numpy() for n, part in zip(checkpoint.output.names, said, strict=True)}


def on_onnxruntime(path: Path, batch: npt.NDArray[np.uint8]) -> Outputs:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": batch}), strict=True))


def on_openvino(path: Path, batch: npt.NDArray[np.uint8]) -> Outputs:
    wanted = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(path, "CPU", wanted)
    found = compiled({"image": batch})
    return {port.get_any_name(): np.array(value) for port, value in found.items()}


def same_decisions(found: Outputs, wanted: Outputs) -> None:
    """The same boxes, whatever the order of those that are as sure as each other."""
    np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-4)
    for picture in range(len(wanted["scores"])):
        left = list(zip(found["boxes"][picture], found["labels"][picture], strict=True))
        for box, label, score in zip(
            wanted["boxes"][picture], wanted["labels"][picture], wanted["scores"][picture],
            strict=True,
        ):  # fmt: skip
            if float(score) < 1e-3:  # padding, or suppressed
                continue
            near = [
                n for n, (b, k) in enumerate(left) if k == label and np.allclose(b, box, atol=0.1)
            ]
            assert near, (box, label, score)
            del left[near[0]]


@pytest.mark.parametrize(("model", "count"), DETECTORS)
def test_a_detector_decides_the_same_on_every_engine(
    tmp_path: Path, model: str, count: int | None
) -> None:
    recipe = Recipe(model=model, resolution=(64, 64), width=16, detections=8)
    checkpoint = lively(tmp_path / "checkpoint", recipe)
    path = export_onnx(checkpoint.folder, tmp_path / "model.onnx", batch=count).path
    batch = pictures(recipe)
    wanted = in_torch(checkpoint, batch)
    assert (wanted["scores"][:, :3] > 0.01).all()
    for found in (on_onnxruntime(path, batch), on_openvino(path, batch)):
        assert found["labels"].dtype == np.int64
        same_decisions(found, wanted)
    assert decide("detection", found, 0, 0.0).scores
    if count is None:
        single = on_onnxruntime(path, batch[1:])
        np.testing.assert_allclose(single["scores"][0], wanted["scores"][1], atol=1e-4)
    nodes = onnx.load(path).graph.node
    assert "NonMaxSuppression" not in {node.op_type for node in nodes}
    assert len({node.name for node in nodes}) == len(nodes)


@pytest.mark.parametrize("recipe", WHOLE, ids=lambda r: f"{r.task}")
def test_a_network_of_whole_pictures_says_the_same_on_every_engine(
    tmp_path: Path, recipe: Recipe
) -> None:
    checkpoint = lively(tmp_path / "checkpoint", recipe)
    path = export_onnx(checkpoint.folder, tmp_path / "model.onnx").path
    batch = pictures(recipe, 3)
    wanted = in_torch(checkpoint, batch)
    for found in (on_onnxruntime(path, batch), on_openvino(path, batch)):
        assert list(found) == list(wanted) == list(checkpoint.output.names)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, atol=1e-4)
    single = on_onnxruntime(path, batch[:1])
    for name, value in wanted.items():
        np.testing.assert_allclose(single[name], value[:1], atol=1e-4)
