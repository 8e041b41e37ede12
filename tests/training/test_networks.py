"""Every network learns from what there is, ignores what teaches nothing, and keeps the contract."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from edgefactory.datasets.errors import InputError
from edgefactory.training import Recipe
from edgefactory.training.networks import Graph, Network, build, folded
from edgefactory.training.networks.fold import _fold_rows
from edgefactory.training.targets import ClassTargets, Targets

pytestmark = pytest.mark.component

Kind = Literal["ordinary", "empty", "ignored"]

DETECTORS = [
    "specialist",
    "torchvision/mobilenet_v3_small",
    "timm/mobilenetv3_small_050",
    "torchvision/ssdlite320_mobilenet_v3_large",
    "torchvision/fcos_resnet50_fpn",
]
WHOLE = [
    Recipe(task="classification", resolution=(16, 16), width=16),
    Recipe(task="classification", model="timm/mobilenetv3_small_050", resolution=(32, 32)),
    Recipe(task="embedding", resolution=(16, 16), width=16, embedding=8),
    Recipe(task="embedding", model="torchvision/resnet18", resolution=(32, 32), embedding=8),
    Recipe(task="temporal", resolution=(29, 12), width=16, depth=2),
    Recipe(task="temporal", resolution=(100, 1), width=16, depth=1),
]
CLASSES = 3


def detector(model: str) -> Recipe:
    return Recipe(model=model, resolution=(64, 64), width=16, detections=8)


def made(recipe: Recipe) -> Network:
    torch.manual_seed(0)
    return build(recipe, CLASSES).train()


def pixels(recipe: Recipe, count: int = 2) -> Tensor:
    width, height = recipe.resolution
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


def boxes(kind: Kind) -> Targets:
    real = torch.tensor([[[8.0, 8, 40, 50], [20, 10, 60, 40]]] * 2)
    there = torch.zeros(2, 2) if kind == "empty" else torch.ones(2, 2)
    ignore = torch.full((2, 2), kind == "ignored")
    return Targets(real, torch.tensor([[0, 2]] * 2), there, torch.ones(2, 2), ignore)


def classes(kind: Kind) -> ClassTargets:
    return ClassTargets(torch.tensor([0, 2]), torch.full((2,), float(kind == "ordinary")))


def learn(network: Network, recipe: Recipe, kind: Kind) -> float:
    """One step's loss and gradient; every one of both is a number."""
    network.zero_grad()
    targets = boxes(kind) if recipe.task == "detection" else classes(kind)
    loss: Tensor = network.loss(network(pixels(recipe)), targets)
    loss.backward()  # type: ignore[no-untyped-call] # torch has no hint
    assert torch.isfinite(loss)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"nothing flows into {name}: data parallel would hang"
        assert torch.isfinite(parameter.grad).all(), name
    return float(loss.detach())


@pytest.mark.parametrize("model", DETECTORS)
def test_a_detector_learns_and_decides(model: str) -> None:
    recipe = detector(model)
    network = made(recipe)
    losses = {kind: learn(network, recipe, kind) for kind in ("ordinary", "empty", "ignored")}
    assert losses["ordinary"] > 1.0
    assert losses["empty"] < 0.1  # a fresh network says rarely anything
    assert losses["ignored"] <= losses["empty"] + 1e-6
    found, scores, labels = Graph(network).eval()(_bytes(recipe, 3))
    assert (found.shape, scores.shape, labels.shape) == ((3, 8, 4), (3, 8), (3, 8))
    assert (found.dtype, scores.dtype, labels.dtype) == (
        torch.float32,
        torch.float32,
        torch.int64,
    )
    assert (scores.diff(dim=1) <= 0).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert ((labels >= 0) & (labels < CLASSES)).all()


@pytest.mark.parametrize("recipe", WHOLE, ids=lambda r: f"{r.task}-{r.model}-{r.resolution}")
def test_a_network_of_whole_pictures_learns_and_decides(recipe: Recipe) -> None:
    network = made(recipe)
    assert learn(network, recipe, "ordinary") > 0.1
    assert learn(network, recipe, "empty") == 0.0
    (found,) = Graph(network).eval()(_bytes(recipe, 3))
    assert found.dtype == torch.float32
    if recipe.task == "embedding":
        assert found.shape == (3, recipe.embedding)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    else:
        assert found.shape == (3, CLASSES)
        torch.testing.assert_close(found.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize(
    "recipe",
    [*(detector(model) for model in DETECTORS[:4]), *WHOLE[:5]],
    ids=lambda r: f"{r.task}-{r.model}",
)
def test_agreement_flows_into_the_network_and_not_into_the_reference(recipe: Recipe) -> None:
    network = made(recipe)
    raw, reference = network(pixels(recipe)), network(pixels(recipe).flip(3))
    if recipe.task in ("classification", "temporal"):
        reference = reference * 100  # sure of something: else it is not listened to
    apart = network.agreement(raw, reference)
    assert torch.isfinite(apart)
    for output, flows in ((raw, True), (reference, False)):
        parts = [
            part
            for part in (output if isinstance(output, tuple) else (output,))
            if part is not None
        ]
        grads = torch.autograd.grad(apart, parts, allow_unused=True, retain_graph=True)
        assert any(grad is not None and grad.any() for grad in grads) is flows


@pytest.mark.parametrize(
    "recipe", [detector(DETECTORS[2]), *WHOLE[:5]], ids=lambda r: f"{r.task}-{r.model}"
)
def test_folding_changes_no_answer(recipe: Recipe) -> None:
    network = made(recipe)
    for _ in range(3):
        network(pixels(recipe, 4))
    with torch.no_grad():
        wanted, found = network.eval()(pixels(recipe)), folded(network)(pixels(recipe))
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)


def test_folding_leaves_a_norm_with_an_activation_alone() -> None:
    from timm.layers import BatchNormAct2d

    row = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), BatchNormAct2d(4)).eval()
    given = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    wanted = row(given)
    _fold_rows(row)
    torch.testing.assert_close(row(given), wanted)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (detector("torchvision/resnet19"), "torchvision has no model 'resnet19'; did you mean"),
        (detector("timm/resnet19"), "timm has no model 'resnet19'; did you mean"),
        (detector("keras/resnet18"), "expected specialist, torchvision/NAME or timm/NAME"),
        (detector("resnet18"), "expected specialist, torchvision/NAME or timm/NAME"),
        (detector("torchvision/fasterrcnn_resnet50_fpn"), "has two stages"),
        (detector("torchvision/swin_t"), "gives no feature maps at strides 8 and 16"),
        (detector("timm/inception_v3"), r"does not take pictures of 64x64: .*change resolution"),
        (
            Recipe(task="classification", model="timm/vit_tiny_patch16_224", resolution=(64, 64)),
            r"does not take pictures of 64x64: .*\(224\)\.; change resolution, or take another",
        ),
        (
            Recipe(task="classification", model="torchvision/fcos_resnet50_fpn"),
            "torchvision has no model 'fcos_resnet50_fpn'",
        ),
    ],
    ids=lambda value: value.model if isinstance(value, Recipe) else "",
)
def test_a_model_that_cannot_be_had_or_does_not_fit_is_one_line(recipe: Recipe, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        build(recipe, CLASSES)
    assert "\n" not in str(refused.value)


def test_ssd_is_given_the_levels_that_its_weights_expect() -> None:
    network = made(detector("torchvision/ssdlite320_mobilenet_v3_large"))
    white = network.get_submodule("levels")(torch.full((1, 3, 2, 2), 255.0))
    torch.testing.assert_close(white, torch.ones(1, 3, 2, 2))


def _bytes(recipe: Recipe, count: int) -> Tensor:
    width, height = recipe.resolution
    chance = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=chance)


def test_norms_of_a_librarys_network_learn_within_a_short_run() -> None:
    recipe = Recipe(
        task="classification", model="torchvision/mobilenet_v3_small", resolution=(32, 32)
    )
    norms = [m for m in build(recipe, 2).modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all(norm.momentum is not None and norm.momentum >= 0.1 for norm in norms)
