"""What a network starts from: checkpoints of other classes, files, and hubs that do not answer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.training import Recipe
from edgefactory.training.checkpoint import Metrics, TrainingLineage, write_checkpoint
from edgefactory.training.networks import Network, build
from edgefactory.training.run import begin
from edgefactory.training.weights import started

pytestmark = pytest.mark.component

DETECTOR = Recipe(resolution=(32, 32), width=16)
CLASSIFIER = Recipe(task="classification", resolution=(16, 16), width=16)
EMBEDDER = Recipe(task="embedding", resolution=(16, 16), width=16, embedding=8)
SMALL = "timm/mobilenetv3_small_050"
LIBRARYS = Recipe(task="classification", model=SMALL, resolution=(32, 32))
OLD, NEW = ("cat", "dog", "owl"), ("owl", "cat", "elk")


def with_weights(recipe: Recipe, weights: Path | str) -> Recipe:
    return msgspec.structs.replace(recipe, weights=str(weights))


def trained(folder: Path, recipe: Recipe, classes: tuple[str, ...]) -> tuple[Path, Network]:
    """A checkpoint of a network whose every number is its own."""
    torch.manual_seed(3)
    network = build(recipe, len(classes))
    for value in network.parameters():
        torch.nn.init.normal_(value)
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
    metrics = Metrics("metrics/1", "accuracy", (), None, 0.0)
    write_checkpoint(folder, network.state_dict(), metrics, lineage)
    return folder, network


def begun(recipe: Recipe, classes: tuple[str, ...]) -> tuple[dict[str, Tensor], str]:
    """The network's tensors, and what is said of where they come from."""
    made = begin(recipe, classes)
    assert made.start is not None
    return made.network.state_dict(), made.start.said


def test_the_same_classes_take_all(tmp_path: Path) -> None:
    folder, network = trained(tmp_path / "old", DETECTOR, OLD)
    state, said = begun(with_weights(DETECTOR, folder), OLD)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert said.startswith(f"starts from {folder}: ")
    assert "anew" not in said


@pytest.mark.parametrize(
    ("recipe", "head", "rows"),
    [
        (DETECTOR, "heat.weight", 4),
        (DETECTOR, "heat.bias", 4),
        (CLASSIFIER, "body.1.weight", 1),
        (EMBEDDER, "directions", 1),
        (LIBRARYS, "body.net.classifier.weight", 1),
    ],
)
@pytest.mark.parametrize("classes", [NEW, ("elk", "dog")])
def test_rows_go_to_the_class_of_their_name_and_new_ones_begin_anew(
    tmp_path: Path, recipe: Recipe, head: str, rows: int, classes: tuple[str, ...]
) -> None:
    folder, network = trained(tmp_path / "old", recipe, OLD)
    fresh = begin(recipe, classes).network.state_dict()
    state, said = begun(with_weights(recipe, folder), classes)
    theirs = network.state_dict()
    for place, name in enumerate(classes):
        here = slice(place * rows, (place + 1) * rows)
        if name in OLD:
            at = OLD.index(name)
            there = theirs[head][at * rows : (at + 1) * rows]
            assert torch.equal(state[head][here], there)
        else:
            assert torch.equal(state[head][here], fresh[head][here])
    assert said.endswith("; classes that begin anew: elk")


def test_an_embeddings_numbers_are_no_classes(tmp_path: Path) -> None:
    """As many numbers as individuals, or a multiple: the projection is taken whole all the same."""
    eight = tuple("abcdefgh")
    folder, network = trained(tmp_path / "old", EMBEDDER, eight)
    state, _ = begun(with_weights(EMBEDDER, folder), tuple("ijklmnop"))
    assert torch.equal(state["body.1.weight"], network.state_dict()["body.1.weight"])


def test_anchors_mix_classes_so_their_heads_begin_anew(tmp_path: Path) -> None:
    ssd = Recipe(model="torchvision/ssdlite320_mobilenet_v3_large", resolution=(64, 64))
    folder, network = trained(tmp_path / "old", ssd, OLD)
    state, said = begun(with_weights(ssd, folder), NEW)
    theirs = network.state_dict()
    body = [name for name in theirs if "backbone" in name]
    assert all(torch.equal(state[name], theirs[name]) for name in body)
    last = "model.head.classification_head.module_list.0.1.weight"  # anchors x (classes + 1) rows
    assert theirs[last].shape[0] == 6 * 4
    assert not torch.equal(state[last], theirs[last])
    assert said.endswith("; classes that begin anew: owl, cat, elk")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("recipe", [CLASSIFIER, LIBRARYS], ids=["ours", "timm"])
def test_files_of_weights_are_taken(tmp_path: Path, recipe: Recipe, suffix: str) -> None:
    torch.manual_seed(3)
    source = build(recipe, 3)
    part = source if recipe.model == "specialist" else source.get_submodule("body.net")
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": part.state_dict(), "epoch": torch.tensor(3)}, path)
    else:
        safetensors.torch.save_file(part.state_dict(), path)
    made = begin(with_weights(recipe, path), OLD)
    assert made.start is not None
    assert made.start.sha256 is not None
    for name, value in source.state_dict().items():
        assert torch.equal(made.network.state_dict()[name], value)


@pytest.mark.parametrize("model", [SMALL, "timm/resnet18", "torchvision/mobilenet_v3_small"])
def test_a_librarys_classifier_gives_its_maps_to_a_detector(tmp_path: Path, model: str) -> None:
    whole = Recipe(task="classification", model=model, resolution=(32, 32))
    source = build(whole, 1000).get_submodule("body.net").state_dict()
    path = tmp_path / "weights.pth"
    torch.save(source, path)
    detector = Recipe(model=model, resolution=(32, 32), width=16, weights=str(path))
    made = begin(detector, OLD).network.get_submodule("backbone.net").state_dict()
    assert len(made) > 50
    assert all(torch.equal(value, source[name]) for name, value in made.items())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not weights at all", "cannot be read: .*; expected .safetensors, or a state_dict"),
        (b"tok\n", "cannot be read: .*; expected .safetensors, or a state_dict"),
        (None, r"is not there; expected a checkpoint folder or a file"),
    ],
)
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes | None, says: str, name: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    kind = MissingError if content is None else InputError
    with pytest.raises(kind, match=says):
        begin(with_weights(CLASSIFIER, path), OLD)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=40))
def test_whatever_a_file_holds_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.pth"):
        started(build(CLASSIFIER, 3), with_weights(CLASSIFIER, path), OLD)


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"epoch": 3}, path)
    with pytest.raises(InputError, match="holds no state_dict; expected names and tensors"):
        begin(with_weights(CLASSIFIER, path), OLD)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value] # as an attacker would

    path = tmp_path / "weights.pth"
    torch.save({"a": Trap()}, path)
    with pytest.raises(InputError, match="cannot be read"):
        begin(with_weights(CLASSIFIER, path), OLD)
    assert not (tmp_path / "ran").exists()


def test_too_little_that_fits_is_named(tmp_path: Path) -> None:
    wider = msgspec.structs.replace(CLASSIFIER, width=32)
    folder, _ = trained(tmp_path / "old", wider, OLD)
    with pytest.raises(InputError, match=r"of \d+ tensors fit this network .*another model, width"):
        begin(with_weights(CLASSIFIER, folder), OLD)


def test_the_specialist_has_no_hub() -> None:
    with pytest.raises(InputError, match="the specialist has none in a hub; name a checkpoint"):
        begin(with_weights(CLASSIFIER, "hub"), OLD)


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every door to the outside leads to a port of this machine where nobody listens."""
    # The first opener that is made in a process stays, with the proxies of that moment.
    monkeypatch.setattr("urllib.request._opener", None)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.mark.parametrize("model", ["torchvision/mobilenet_v3_small", SMALL])
def test_a_hub_out_of_reach_is_one_line_that_says_what_to_do(no_network: Path, model: str) -> None:
    recipe = msgspec.structs.replace(LIBRARYS, model=model, weights="hub")
    network = build(recipe, 3)
    with pytest.raises(MissingError, match=r"cannot be fetched .*give the file: weights: FILE"):
        started(network, recipe, OLD)


def test_what_a_hub_gave_before_needs_no_network(no_network: Path) -> None:
    import timm
    from huggingface_hub import constants

    source = timm.create_model("mobilenetv3_small_050")
    repository = timm.get_pretrained_cfg("mobilenetv3_small_050").hf_hub_id.replace("/", "--")
    kept = Path(constants.HF_HUB_CACHE) / f"models--{repository}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    (kept / "snapshots" / ("0" * 40)).mkdir(parents=True)
    safetensors.torch.save_file(
        source.state_dict(), kept / "snapshots" / ("0" * 40) / "model.safetensors"
    )
    made = begin(msgspec.structs.replace(LIBRARYS, weights="hub"), OLD)
    stem = made.network.get_submodule("body.net").state_dict()["conv_stem.weight"]
    assert torch.equal(stem, source.state_dict()["conv_stem.weight"])
