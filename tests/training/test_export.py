"""The exported graph keeps the contract, says what torch says, and is the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from edge_runtime.contract import decide
from edgefactory.datasets.errors import InputError, MissingError, StorageError
from edgefactory.training import Recipe, export_onnx, load_checkpoint, macs
from edgefactory.training.checkpoint import (
    Metrics,
    TrainingLineage,
    write_checkpoint,
)
from edgefactory.training.networks import build, folded
from edgefactory.training.networks.decode import decode
from edgefactory.training.networks.maps import Maps
from edgefactory.training.patches import rows_as_channels
from edgefactory.training.specification import Specification, specification_of

Bytes = npt.NDArray[np.uint8]

pytestmark = pytest.mark.component

DETECTOR = Recipe(resolution=(64, 48), width=16, depth=1, detections=8)
CLASSIFIER = Recipe(task="classification", resolution=(16, 16), width=16, depth=1)


def checkpoint(folder: Path, recipe: Recipe, classes: tuple[str, ...]) -> Path:
    """A checkpoint of a network with lively random weights and running statistics."""
    torch.manual_seed(1)
    network = build(recipe, len(classes)).train()
    width, height = recipe.resolution
    for _ in range(3):
        network(torch.rand(4, 3, height, width) * 255)
    if recipe.task == "detection":
        torch.nn.init.normal_(network.get_parameter("heat.weight"), std=0.5)
    metrics = Metrics("metrics/1", "ap50", (), None, 0.0)
    lineage = TrainingLineage(
        schema="lineage/1",
        git_commit=None,
        snapshot_sha256="0" * 64,
        teacher_sha256=None,
        classes=classes,
        seed=0,
        recipe=recipe,
        parameters=1,
        versions={},
    )
    folder.mkdir()
    write_checkpoint(folder, network.state_dict(), metrics, lineage)
    return folder


def pictures(recipe: Recipe, count: int) -> Bytes:
    width, height = recipe.resolution
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def run(path: Path, batch: Bytes) -> dict[str, npt.NDArray[Any]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": batch}), strict=True))


@pytest.mark.parametrize("classes", [("person",), ("person", "dog", "cart")])
def test_a_detector_decides_as_torch_does_for_any_batch(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    folder = checkpoint(tmp_path / "checkpoint", DETECTOR, classes)
    exported = export_onnx(folder, tmp_path / "model.onnx")
    graph = load_checkpoint(folder).graph()
    for count in (1, 3):
        batch = pictures(DETECTOR, count)
        with torch.no_grad():
            boxes, scores, labels = graph(torch.from_numpy(batch))
        found = run(exported.path, batch)
        np.testing.assert_allclose(found["scores"], scores, atol=1e-5)
        np.testing.assert_array_equal(found["labels"], labels)
        np.testing.assert_allclose(found["boxes"], boxes, rtol=1e-4, atol=1e-2)
        assert decide("detection", found, 0, 0.0).scores


def test_a_classifier_gives_probabilities(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "checkpoint", CLASSIFIER, ("0", "1", "2"))
    exported = export_onnx(folder, tmp_path / "model.onnx", batch=2)
    batch = pictures(CLASSIFIER, 2)
    with torch.no_grad():
        (wanted,) = load_checkpoint(folder).graph()(torch.from_numpy(batch))
    found = run(exported.path, batch)
    assert list(found) == ["probabilities"]
    np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-5)


def test_the_same_checkpoint_gives_the_same_bytes_without_paths_of_this_machine(
    tmp_path: Path,
) -> None:
    folder = checkpoint(tmp_path / "checkpoint", DETECTOR, ("person",))
    first = export_onnx(folder, tmp_path / "a.onnx")
    second = export_onnx(folder, tmp_path / "b.onnx")
    assert first.sha256 == second.sha256
    assert first.bytes == first.path.stat().st_size
    assert b"edgefactory/training" not in first.path.read_bytes()
    names = [n.name for n in onnx.load(first.path).graph.node if n.op_type == "Conv"]
    assert {"stem.0", "heat", "reach"} <= set(names)
    assert first.macs == macs(first.path) == _counted_by_hand()


def test_the_graph_says_what_it_is(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "checkpoint", CLASSIFIER, ("0", "1", "2"))
    model = onnx.load(export_onnx(folder, tmp_path / "model.onnx").path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    says = specification_of(properties, "model.onnx")
    assert says == Specification("classification", ("0", "1", "2"), load_checkpoint(folder).input)


def _counted_by_hand() -> int:
    """Multiply-accumulates of DETECTOR with one class: cells x outputs x inputs x taps."""
    cells = {4: 16 * 12, 8: 8 * 6, 16: 4 * 3}
    return (
        cells[4] * 8 * 3 * 16
        + cells[8] * 16 * 9 * (8 + 16 + 16)
        + cells[16] * 32 * 9 * (16 + 32)
        + cells[16] * 32 * 16
        + cells[8] * 16 * (4 + 16)
    )


def test_folding_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = build(DETECTOR, 1).train()
    network(torch.rand(4, 3, 48, 64) * 255)
    pixels = torch.rand(2, 3, 48, 64) * 255
    with torch.no_grad():
        wanted, found = network.eval()(pixels), folded(network)(pixels)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_decoding_gives_one_box_a_peak_best_first() -> None:
    heat = torch.full((1, 1, 12, 16), -9.0)
    heat[0, 0, 3, 5], heat[0, 0, 3, 6], heat[0, 0, 9, 12] = 2.0, 1.0, 3.0
    reach = torch.zeros(1, 4, 12, 16)
    boxes, scores, labels = decode(Maps(heat, reach), 5)
    assert (scores[0] > 0.01).tolist() == [True, True, False, False, False]
    assert boxes[0, 0].tolist() == [46.0, 34.0, 54.0, 42.0]
    assert boxes[0, 1].tolist() == [18.0, 10.0, 26.0, 18.0]
    assert labels.tolist() == [[0] * 5]


def test_what_cannot_be_read_or_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"holds no model\.safetensors"):
        export_onnx(tmp_path, tmp_path / "model.onnx")
    folder = checkpoint(tmp_path / "checkpoint", DETECTOR, ("person",))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        export_onnx(folder, tmp_path / "file" / "model.onnx")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="does not fit the recipe beside it"):
        load_checkpoint(folder).network()
    (tmp_path / "no.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match="no ONNX graph"):
        macs(tmp_path / "no.onnx")


def test_rows_of_patches_are_channels_and_nothing_else_changes(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "checkpoint", DETECTOR, ("person",))
    model = onnx.load(export_onnx(folder, tmp_path / "model.onnx").path)
    stem = next(node for node in model.graph.node if node.name == "stem.0")
    weight = next(t for t in model.graph.initializer if t.name == stem.input[1])
    assert list(weight.dims) == [8, 12, 4, 1]
    assert not rows_as_channels(model)  # a second time there is nothing to do
