"""What pictures are compared by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefactory.datasets.asking import open_embedding
from edgefactory.datasets.errors import InputError, MissingError

from .pools import texture


def test_without_weights_like_pictures_are_near_each_other() -> None:
    describe = open_embedding(None).describe
    one, again, other = describe(texture(1)), describe(texture(1, noise=5)), describe(texture(2))
    assert one.dtype == np.float32
    assert np.linalg.norm(one - again) < 0.2 * np.linalg.norm(one - other)


@pytest.mark.parametrize(
    ("text", "says"),
    [("resnet18", r"NAME:FILE"), ("resnet18:", r"NAME:FILE")],
)
def test_an_embedding_without_a_file_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_embedding(text)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingError, match=r"weights\.st"):
        open_embedding("resnet18:weights.st")


@pytest.mark.component
def test_a_torchvision_classifier_embeds_by_its_last_layers_input(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from torchvision import models

    torch.manual_seed(0)
    path = tmp_path / "weights.st"
    save_file(models.mobilenet_v3_small(num_classes=7).state_dict(), path)
    embedding = open_embedding(f"mobilenet_v3_small:{path}")
    found = embedding.describe(texture(1))
    assert found.shape == (1024,)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-4)
    assert not np.array_equal(found, embedding.describe(texture(2)))
    assert embedding.name.startswith("torchvision mobilenet_v3_small ")
    with pytest.raises(InputError, match="does not hold the weights of a mobilenet_v3_large"):
        open_embedding(f"mobilenet_v3_large:{path}")
    with pytest.raises(InputError, match="no classifier 'mobilenet'"):
        open_embedding(f"mobilenet:{path}")
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="is not a safetensors file"):
        open_embedding(f"mobilenet_v3_small:{path}")
