"""One network in every form it can have is judged alike; and what opens as which form."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from edge_runtime.contract import (
    Engine,
    FileRef,
    Golden,
    Lineage,
    OperatingPoint,
    Release,
    Tolerance,
    Variant,
    VariantSet,
    digest,
    encode,
)
from edgefactory.compress.evaluating import EvaluateSettings, evaluate
from edgefactory.compress.opening import Opening, open_model
from edgefactory.compress.openvino_ir import to_ir
from edgefactory.datasets import Header, Item, Label, Split, load_picture, write_manifest
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.training import Recipe, evaluation, export_onnx, load_checkpoint
from edgefactory.training.checkpoint import Metrics, TrainingLineage, write_checkpoint
from edgefactory.training.metrics import Detections
from edgefactory.training.networks import build

pytestmark = pytest.mark.component

ZERO = "0" * 64
POINT = OperatingPoint(0.25, "by hand")


def _quiet(*_: object) -> None:
    """No progress."""


def _checkpoint(folder: Path, recipe: Recipe, classes: tuple[str, ...]) -> Path:
    """A network with lively random weights and running statistics."""
    torch.manual_seed(3)
    network = build(recipe, len(classes)).train()
    width, height = recipe.resolution
    for _ in range(3):
        network(torch.rand(4, 3, height, width) * 255)
    if recipe.task == "detection":
        torch.nn.init.normal_(network.get_parameter("heat.weight"), std=8.0)
        torch.nn.init.zeros_(network.get_parameter("heat.bias"))
    lineage = TrainingLineage("lineage/1", None, ZERO, None, classes, 0, recipe, 1, {})
    folder.mkdir(parents=True)
    metrics = Metrics("metrics/1", "ap50", (), None, 0.0)
    write_checkpoint(folder, network.state_dict(), metrics, lineage)
    return folder


def _snapshot(folder: Path, header: Header, size: tuple[int, int]) -> Path:
    """Forty smooth pictures without labels, a quarter of them to validate."""
    generator = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True)
    items = []
    for number in range(40):
        rough = generator.integers(0, 256, (6, 8, 3), np.uint8)
        buffer = io.BytesIO()
        picture = Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)
        picture.save(buffer, "PNG")
        name = sha256(buffer.getvalue()).hexdigest()
        (folder / f"images/{name}.png").write_bytes(buffer.getvalue())
        split: Split = "test" if number % 4 else "val"
        source = f"cam-{number % 2}"
        items.append(Item(name, f"images/{name}.png", *size, source, number, 0.0, split, ()))
    write_manifest(folder, header, items)
    return folder


def _labelled(folder: Path, header: Header, label: Callable[[Item], tuple[Label, ...]]) -> None:
    from edgefactory.datasets import stream_items

    items = [msgspec.structs.replace(item, labels=label(item)) for item in stream_items(folder)]
    write_manifest(folder, header, items)


def _forms(folder: Path, checkpoint: Path) -> dict[str, tuple[str, Opening]]:
    """The checkpoint in all of its forms, and how each is opened."""
    onnx = export_onnx(checkpoint, folder / "model.onnx").path.read_bytes()
    ir = to_ir(onnx)
    for name, content in ir.items():
        (folder / name).write_bytes(content)
    files: Mapping[str, Mapping[str, bytes]] = {
        "onnx-fp32": {"model.onnx": onnx},
        "openvino-f32": ir,
    }
    variants = tuple(_variant(name, content) for name, content in files.items())
    trained = load_checkpoint(checkpoint)
    task, labels = trained.task, trained.classes
    made = VariantSet(
        "variants/1", task, labels, trained.input, trained.output, ZERO, ZERO, variants
    )
    nothing = FileRef(ZERO, 0)
    release = Release(
        "release/1", "toy", "1.0.0", 1, task, labels, trained.input, trained.output, POINT,
        variants, Golden((), Tolerance()), nothing, Lineage(ZERO, ZERO, 0), nothing,
    )  # fmt: skip
    for variant, parts in files.items():
        for file, data in parts.items():
            for path in (folder / "variants" / variant / file, folder / "blobs" / digest(data)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    (folder / "variants" / "variants.json").write_bytes(encode(made))
    (folder / "release.json").write_bytes(encode(release))
    return {
        "checkpoint": (str(checkpoint), Opening()),
        "onnx": (str(folder / "model.onnx"), Opening()),
        "onnx by openvino": (str(folder / "model.onnx"), Opening("openvino")),
        "openvino": (str(folder / "model.xml"), Opening()),
        "variants": (str(folder / "variants"), Opening(variant="openvino-f32")),
        "release": (str(folder), Opening("openvino")),
    }


def _variant(name: str, files: Mapping[str, bytes]) -> Variant:
    refs = {file: FileRef(digest(data), len(data)) for file, data in files.items()}
    engine: Engine = "openvino" if name.startswith("openvino") else "onnxruntime"
    return Variant(name, engine, "f32", ("cpu",), next(iter(files)), refs)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A detector in all forms; what is true is near what it finds, but for every third box."""
    folder = tmp_path_factory.mktemp("detector")
    recipe = Recipe(resolution=(64, 48), width=16, depth=1, detections=6)
    checkpoint = _checkpoint(folder / "checkpoint", recipe, ("cat", "dog"))
    header = Header("toy", "detection", ("dog", "cat"), "human")
    snapshot = _snapshot(folder / "snapshot", header, (128, 96))
    model = open_model(str(checkpoint), Opening())

    def label(item: Item) -> tuple[Label, ...]:
        found = model.answer(load_picture(snapshot, item))
        assert isinstance(found, Detections)
        labels = []
        shift = np.array([1, 1, 3, 2])
        for number, (box, kind) in enumerate(zip(found.boxes, found.labels, strict=True)):
            x0, y0, x1, y1 = np.clip(box + shift, 0, [128, 96, 128, 96]).tolist()
            if number % 3 and x1 - x0 > 2 and y1 - y0 > 2:
                name = ("cat", "dog")[kind if number % 5 else 1 - kind]
                labels.append(Label(name, (x0, y0, x1, y1), "human:ann", 1.0, "reviewed"))
        return tuple(labels)

    _labelled(snapshot, header, label)
    return snapshot, _forms(folder, checkpoint)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A classifier in all forms; every third picture is something else than it says."""
    folder = tmp_path_factory.mktemp("classifier")
    classes = ("a", "b", "c")
    recipe = Recipe(task="classification", resolution=(16, 16), width=16, depth=1)
    checkpoint = _checkpoint(folder / "checkpoint", recipe, classes)
    header = Header("toy", "classification", classes, "human")
    snapshot = _snapshot(folder / "snapshot", header, (32, 32))
    model = open_model(str(checkpoint), Opening())

    def label(item: Item) -> tuple[Label, ...]:
        found = model.answer(load_picture(snapshot, item))
        assert not isinstance(found, Detections)
        best = int(found.argmax()) + (int(item.id, 16) % 3 == 0)
        return (Label(classes[best % 3], None, "human:ann", 1.0, "reviewed"),)

    _labelled(snapshot, header, label)
    return snapshot, _forms(folder, checkpoint)


def _judged(snapshot: Path, source: str, how: Opening, costs: bool) -> evaluation.Evaluation:
    judging = evaluation.Judging(draws=50, costs=evaluation.Costs(2, 1) if costs else None)
    settings = EvaluateSettings(judging=judging)
    return evaluate(settings, open_model(source, how), snapshot, _quiet)


def _figures(found: evaluation.Evaluation) -> dict[str, float]:
    """Every number of the slices, by where it stands."""
    told: dict[str, float] = {}
    for part in found.slices:
        for name, figure in part.figures.items():
            where = f"{part.by} {part.name} {name}"
            for end, value in zip(
                ("value", "low", "high"), (figure.value, *(figure.interval or ())), strict=False
            ):
                told[f"{where} {end}"] = float("nan") if value is None else value
    return told


@pytest.mark.parametrize("task", ["detector", "classifier"])
def test_every_form_of_a_model_has_the_same_figures(
    task: str, request: pytest.FixtureRequest
) -> None:
    snapshot, forms = request.getfixturevalue(task)
    judged = {
        form: _judged(snapshot, source, how, task == "detector")
        for form, (source, how) in forms.items()
    }
    expected = judged.pop("checkpoint")
    figures = _figures(expected)
    first = "all all ap50 value" if task == "detector" else "all all accuracy value"
    assert 0.1 < figures[first] < 0.9
    for form, found in judged.items():
        assert _figures(found) == pytest.approx(figures, abs=1e-4, nan_ok=True), form
        assert found.mistakes_of_kind == expected.mistakes_of_kind
        assert found.confusion == expected.confusion
        assert found.calibration is not None
        assert expected.calibration is not None
        ece, other = found.calibration.before.ece.value, expected.calibration.before.ece.value
        assert ece == pytest.approx(other, abs=1e-4)
        assert found.calibration.temperature == pytest.approx(
            expected.calibration.temperature, rel=1e-3
        )


def test_a_figure_names_the_bytes_and_the_engine_that_made_it(
    detector: tuple[Path, dict[str, Any]],
) -> None:
    _, forms = detector
    about = {form: open_model(*how).about for form, how in forms.items()}
    assert about["checkpoint"].engine == "torch"
    assert about["onnx by openvino"].engine == "openvino"
    assert about["onnx"].files_sha256 == about["onnx by openvino"].files_sha256
    assert about["release"].files_sha256 == about["openvino"].files_sha256
    assert set(about["release"].files_sha256) == {"model.xml", "model.bin"}
    assert (about["release"].name, about["release"].variant) == ("toy 1.0.0", "openvino-f32")
    assert {one.classes for one in about.values()} == {("cat", "dog")}


def test_a_release_brings_its_operating_point_along(
    detector: tuple[Path, dict[str, Any]],
) -> None:
    snapshot, forms = detector
    source, how = forms["release"]
    found = _judged(snapshot, source, how, costs=False)
    assert found.point == evaluation.Point(POINT.score_threshold, POINT.chosen_by)
    source, how = forms["variants"]
    chosen = _judged(snapshot, source, how, costs=False)
    assert chosen.point is not None
    assert chosen.point.chosen_on == "val"


def test_a_release_without_a_fitting_variant_says_what_it_has(
    detector: tuple[Path, dict[str, Any]],
) -> None:
    source, how = detector[1]["release"]
    with pytest.raises(
        InputError, match=r"has no variant int8; it has onnx-fp32 \(onnxruntime f32\)"
    ):
        open_model(source, replace(how, variant="int8", engine=None))
    with pytest.raises(InputError, match="--engine is not for a checkpoint"):
        open_model(detector[1]["checkpoint"][0], Opening("openvino"))


def test_changed_files_are_refused(detector: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = Path(detector[1]["release"][0])
    for name in ("variants", "blobs"):
        shutil.copytree(folder / name, tmp_path / name)
    shutil.copy(folder / "release.json", tmp_path)
    for path in tmp_path.glob("*/**/*"):
        if path.is_file() and path.suffix != ".json":
            path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(TrustError, match="was changed"):
        open_model(str(tmp_path), Opening())
    with pytest.raises(TrustError, match="was changed"):
        open_model(str(tmp_path / "variants"), Opening())


def test_an_ir_without_its_weights_is_one_line(
    detector: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    shutil.copy(detector[1]["openvino"][0], tmp_path / "model.xml")
    with pytest.raises(MissingError, match=r"model\.bin is not there"):
        open_model(str(tmp_path / "model.xml"), Opening())
    with pytest.raises(InputError, match="does not run in onnxruntime"):
        open_model(detector[1]["openvino"][0], Opening("onnxruntime"))
