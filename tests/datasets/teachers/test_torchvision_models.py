"""torchvision's models with weights from a file: the same answers as torchvision's own code."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torchvision import models

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers import open_teacher, parse_teacher

pytestmark = pytest.mark.component


def picture(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)


def weights(path: Path, module: torch.nn.Module) -> Path:
    save_file(module.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    module = models.mobilenet_v3_small(num_classes=3).eval()
    return weights(tmp_path_factory.mktemp("weights") / "c.safetensors", module), module


def test_a_classifier(classifier: tuple[Path, torch.nn.Module]) -> None:
    path, module = classifier
    spec = parse_teacher(f"torchvision:mobilenet_v3_small:{path}", ("a", "b", "c"))
    teacher = open_teacher(spec)
    assert (teacher.task, teacher.classes) == ("classification", ("a", "b", "c"))
    assert teacher.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    pictures = [picture(300, 200), picture(64, 90)]
    transform = models.MobileNet_V3_Small_Weights.DEFAULT.transforms()
    for found, one in zip(teacher.predict(pictures), pictures, strict=True):
        with torch.inference_mode():
            seen = transform(torch.from_numpy(one).permute(2, 0, 1))[None]
            expected = module(seen).softmax(1)[0].numpy()
        assert found.probabilities is not None
        np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert teacher.predict([]) == []


def test_a_detector(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = models.detection.ssdlite320_mobilenet_v3_large(
        num_classes=3, weights_backbone=None
    ).eval()
    path = weights(tmp_path / "d.safetensors", module)
    name = "ssdlite320_mobilenet_v3_large"
    teacher = open_teacher(parse_teacher(f"torchvision:{name}:{path}?min_score=0", ("car", "bus")))
    assert (teacher.task, teacher.classes) == ("detection", ("car", "bus"))
    one = picture(120, 80)
    (found,) = teacher.predict([one])
    with torch.inference_mode():
        (expected,) = module([torch.from_numpy(one).permute(2, 0, 1) / 255])
    assert len(found.scores) > 0
    best = expected["scores"].argmax()
    np.testing.assert_allclose(found.scores[0], expected["scores"][best], rtol=1e-5)
    assert found.classes[0] == expected["labels"][best] - 1
    assert {int(kind) for kind in found.classes} <= {0, 1}


def test_a_detector_without_names_has_those_of_coco(tmp_path: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    module = models.get_model(name, weights_backbone=None, num_classes=91)
    path = weights(tmp_path / "d.safetensors", module)
    teacher = open_teacher(parse_teacher(f"torchvision:{name}:{path}"))
    assert len(teacher.classes) == 80
    assert (teacher.classes[0], teacher.classes[-1]) == ("person", "toothbrush")


def test_what_does_not_fit_is_refused_in_a_line(
    classifier: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    path, _ = classifier
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    cases = (
        (f"mobilenet_v3_small:{path}", ("a", "b"), "does not fit"),
        (f"mobilenet_v3_small:{tmp_path / 'bad.safetensors'}", ("a", "b"), "no safetensors file"),
        (f"raft_small:{path}", (), "no detector or classifier 'raft_small'"),
        (f"mobilenet_v3_small:{path}?device=tpu", (), "device"),
    )
    for text, classes, told in cases:
        with pytest.raises(InputError, match=told) as caught:
            open_teacher(parse_teacher(f"torchvision:{text}", classes))
        assert "\n" not in str(caught.value)
