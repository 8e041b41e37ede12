"""That each task, and each way to distil, teaches something real: on data that packages ship."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from edgefactory.compress import Opening, evaluate, open_model
from edgefactory.compress.evaluating import EvaluateSettings
from edgefactory.datasets import (
    Header,
    Item,
    Label,
    Split,
    fetch_sequences,
    load_picture,
    read_snapshot,
    write_manifest,
)
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats import ImportSettings
from edgefactory.datasets.formats.sequences import SequenceSettings, import_sequences
from edgefactory.training import (
    Augment,
    Checkpoint,
    Distil,
    Recipe,
    export_onnx,
    fitted,
    recipe_from,
    recipe_named,
    train,
)
from edgefactory.training.evaluation import Judging

pytestmark = pytest.mark.component

GENTLE = Augment(scale=0.1, shift=0.08, brightness=0.1, offset=0.0)
DIGITS = Recipe(
    task="classification",
    resolution=(16, 16),
    width=16,
    epochs=6,
    batch=32,
    ema=0.9,
    threads=1,
    precision="32",
    augment=GENTLE,
)


def write_digits(
    folder: Path, chosen: Iterable[int], split: Callable[[int], Split], classes: str = "0123456789"
) -> Path:
    """scikit-learn's handwritten digits of those numbers, of those classes."""
    pixels, kinds = load_digits(return_X_y=True)
    (folder / "images").mkdir(parents=True)
    items = []
    for place, number in enumerate(n for n in chosen if str(kinds[n]) in classes):
        grey = (pixels[number].reshape(8, 8) * (255 / 16)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(grey).resize((32, 32), Image.Resampling.BICUBIC).save(stream, "PNG")
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        (folder / "images" / f"{name}.png").write_bytes(stream.getvalue())
        label = Label(str(kinds[number]), None, "human:UCI", 1.0, "reviewed")
        items.append(
            Item(
                id=name,
                file=f"images/{name}.png",
                width=32,
                height=32,
                source="digits",
                frame=number,
                captured_at=float(number),
                split=split(place),
                labels=(label,),
            )
        )
    write_manifest(folder, Header("digits", "classification", tuple(classes), "human"), items)
    return folder


def fifths(place: int) -> Split:
    return "val" if place % 5 == 4 else "train"


def made(recipe: Recipe, snapshot: Path, folder: Path) -> Checkpoint:
    return train(recipe, snapshot, folder / "checkpoint", folder / "scratch")


def judged(model: Path, snapshot: Path, figure: str) -> float:
    """A figure on the test split, as `edgefactory evaluate` tells it."""
    settings = EvaluateSettings("test", Judging(draws=1, worst=0), None)
    found = evaluate(settings, open_model(str(model), Opening()), snapshot, lambda *_: None)
    value = found.overall()[figure].value
    assert value is not None
    return value


def test_an_embedding_tells_classes_apart_that_it_has_never_seen(tmp_path: Path) -> None:
    known = write_digits(tmp_path / "known", range(900), fifths, "0123456")
    strange = write_digits(tmp_path / "strange", range(1797), lambda _: "test", "789")
    shipped = recipe_from(
        {**recipe_named("embedding"), "resolution": [16, 16], "threads": 1}, "embedding"
    )
    recipe = msgspec.structs.replace(shipped, epochs=10, batch=32, ema=0.9, augment=GENTLE)
    naive = msgspec.structs.replace(recipe, epochs=1, learning_rate=1e-9, ema=0.0)
    untaught = made(naive, known, tmp_path / "untaught")
    taught = made(recipe, known, tmp_path / "taught")
    assert taught.metrics.metric == "recall_at_1"
    wrong, before = (1 - judged(c.folder, strange, "recall_at_1") for c in (taught, untaught))
    assert wrong < before / 2


def test_sequences_are_named_better_than_by_their_nearest_neighbour(tmp_path: Path) -> None:
    """Who says a vowel: the nearest neighbour among the recordings is right in 87.6%."""
    recordings = fetch_sequences("japanese-vowels", tmp_path / "recordings")
    snapshot = tmp_path / "snapshot"
    import_sequences(recordings, snapshot, ImportSettings(), SequenceSettings())
    shipped = {**recipe_named("temporal"), "epochs": 20}
    recipe = recipe_from(fitted(shipped, read_snapshot(snapshot)), "temporal")
    checkpoint = made(recipe, snapshot, tmp_path)
    assert judged(checkpoint.folder, snapshot, "accuracy") > 0.93
    pictures = write_digits(tmp_path / "pictures", range(20), lambda _: "test")
    with pytest.raises(InputError, match=r"is a model for sequences, .* holds pictures"):
        judged(checkpoint.folder, pictures, "accuracy")


def test_soft_answers_carry_what_hard_labels_do_not(tmp_path: Path) -> None:
    """Labels of a few digits are wrong on purpose; the teacher's probabilities are not."""
    taught = write_digits(tmp_path / "taught", range(900), fifths)
    teacher = made(msgspec.structs.replace(DIGITS, epochs=15), taught, tmp_path / "teacher")
    file = tmp_path / "teacher.onnx"
    export_onnx(teacher.folder, file)
    pupils = write_digits(
        tmp_path / "pupils", range(900, 1797), lambda n: "train" if n < 400 else "test"
    )
    confuse(pupils, 0.4)
    soft = Distil(soft=1.0, teacher=f"onnx:{file}")
    alone = made(DIGITS, pupils, tmp_path / "alone")
    distilled = made(msgspec.structs.replace(DIGITS, distil=soft), pupils, tmp_path / "distilled")
    assert judged(distilled.folder, pupils, "accuracy") > judged(alone.folder, pupils, "accuracy")


def confuse(snapshot: Path, share: float) -> None:
    """Give a share of the training labels another class."""
    chance = np.random.default_rng(0)

    def confused(item: Item) -> Item:
        if item.split != "train" or chance.random() >= share:
            return item
        (label,) = item.labels
        wrong = str((int(label.class_) + int(chance.integers(1, 10))) % 10)
        other = msgspec.structs.replace(label, class_=wrong)
        return msgspec.structs.replace(item, labels=(other,))

    header = Header("digits", "classification", tuple("0123456789"), "human")
    write_manifest(snapshot, header, [confused(item) for item in read_snapshot(snapshot).items])


def test_consistency_makes_answers_steadier_under_changes(tmp_path: Path) -> None:
    few = write_digits(tmp_path / "few", range(60), fifths)
    many = write_digits(tmp_path / "many", range(60, 800), lambda _: "train")
    plain = msgspec.structs.replace(DIGITS, epochs=160, batch=16)
    steady = Distil(consistency=5.0, unlabelled=str(many))
    alone = made(plain, few, tmp_path / "alone")
    helped = made(msgspec.structs.replace(plain, distil=steady), few, tmp_path / "helped")
    assert unsteadiness(helped, many) < 0.9 * unsteadiness(alone, many)


def unsteadiness(checkpoint: Checkpoint, snapshot: Path) -> float:
    """How far the probabilities of a picture and of the same in other light and place differ."""
    items = read_snapshot(snapshot).items[:200]
    pictures: npt.NDArray[np.uint8] = np.stack(
        [
            np.asarray(Image.fromarray(load_picture(snapshot, item)).resize((16, 16)))
            for item in items
        ]
    )
    moved = np.roll(pictures, 1, axis=2)
    graph = checkpoint.graph()
    with torch.no_grad():
        first, second = (graph(torch.from_numpy(p.copy()))[0] for p in (pictures, moved))
    return float((first - second).abs().mean())


def test_the_best_epoch_is_kept_where_patience_says_so(tmp_path: Path) -> None:
    taught = write_digits(tmp_path / "taught", range(200), fifths)
    recipe = msgspec.structs.replace(DIGITS, epochs=60, patience=3, ema=0.5, learning_rate=0.01)
    checkpoint = made(recipe, taught, tmp_path)
    values = [point.val for point in checkpoint.metrics.epochs if point.val is not None]
    assert len(values) < 60
    assert len(values) == values.index(max(values)) + 1 + 3
    assert checkpoint.metrics.final == max(values)
