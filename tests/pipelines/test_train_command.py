"""`train SNAP`: what it makes, killed and taken up again, and one line for what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefactory.datasets import Header, Item, Label, Split, write_manifest
from edgefactory.pipelines import main

SIDE = 32
BOX = (8.0, 8.0, 24.0, 24.0)
FAST = ["--tracking", "none", "--set", "width=16", "--set", "threads=1", "--set", "batch=4"]


def picture(number: int, kind: str) -> bytes:
    """A square on a dark ground, coloured by its class."""
    generator = np.random.default_rng(number)
    pixels = generator.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    if kind != "nothing":
        pixels[8:24, 8:24, ("person", "dog", "cart").index(kind)] = 220
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write(
    folder: Path, kinds: Sequence[str], classes: Sequence[str], *, boxes: bool = True
) -> Path:
    """A snapshot of pictures of these kinds; each fifth validates."""
    (folder / "images").mkdir(parents=True)
    items = []
    for number, kind in enumerate(kinds):
        content = picture(number, kind)
        name = hashlib.sha256(content).hexdigest()
        (folder / "images" / f"{name}.png").write_bytes(content)
        split: Split = "val" if number % 5 == 4 else "train"
        label = Label(kind, BOX if boxes else None, "human:ann", 1.0, "reviewed")
        items.append(
            Item(
                id=name,
                file=f"images/{name}.png",
                width=SIDE,
                height=SIDE,
                source="cam",
                frame=number,
                captured_at=float(number),
                split=split,
                labels=() if kind == "nothing" else (label,),
            )
        )
    task = "detection" if boxes else "classification"
    write_manifest(folder, Header("toy", task, tuple(classes), "human"), items)  # type: ignore[arg-type] # one of the two
    return folder


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """People and dogs with boxes."""
    return write(tmp_path / "two", ["person", "dog"] * 8, ("person", "dog"))


def trained(snapshot: Path, out: Path, *more: str) -> int:
    return main(["train", str(snapshot), "--out", str(out), *FAST, *more])


@pytest.mark.component
def test_a_snapshot_becomes_a_checkpoint(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(two, tmp_path / "model", "--set", "epochs=2") == 0
    said = capsys.readouterr()
    assert "2 epochs, ap50" in said.out
    assert "epoch   2  loss" in said.err
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        *("model.safetensors", "recipe.json", "metrics.json", "lineage.json"),
        *("log.txt", "predictions.png"),
    }
    assert json.loads((tmp_path / "model/recipe.json").read_text())["resolution"] == [SIDE, SIDE]
    assert not (tmp_path / ".model.training").exists()


@pytest.mark.component
def test_killed_by_the_system_it_goes_on_to_the_same_weights(two: Path, tmp_path: Path) -> None:
    """kill -9 in the midst of a run, twice; then the same command once more."""
    more = ["--set", "epochs=12"]
    assert trained(two, tmp_path / "whole", *more) == 0
    out, state = tmp_path / "model", tmp_path / ".model.training"
    command = [sys.executable, "-c", "import sys; from edgefactory.pipelines import main; main()"]
    command += ["train", str(two), "--out", str(out), *FAST, *more]
    for _ in range(2):
        found = {path: path.stat().st_mtime_ns for path in state.rglob("state.pt")}
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None:
            if {path: path.stat().st_mtime_ns for path in state.rglob("state.pt")} != found:
                os.kill(child.pid, signal.SIGKILL)
                break
            time.sleep(0.002)
        child.wait()
    assert trained(two, out, *more) == 0
    whole, model = (
        json.loads((folder / "metrics.json").read_text())["epochs"]
        for folder in (tmp_path / "whole", out)
    )
    assert [e["loss"] for e in model] == [e["loss"] for e in whole]
    name = "model.safetensors"
    assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.component
def test_weights_of_other_classes_say_which_begin_anew(two: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", ["person", "cart"] * 5, ("cart", "person"))
    assert trained(two, tmp_path / "first", "--set", "epochs=1") == 0
    more = ["--set", "epochs=1", "--set", f"weights={tmp_path / 'first'}"]
    assert trained(other, tmp_path / "second", *more) == 0
    first = (tmp_path / "second" / "log.txt").read_text().splitlines()[0]
    assert "cart" in first
    assert "dog" not in first


@pytest.mark.parametrize(
    ("kinds", "classes", "boxes", "says"),
    [
        (["person"] * 10, ("person", "dog"), True, "the class 'dog' has no label in the train"),
        (["person"], ("person",), True, "has 1 picture to train on; expected 2 or more"),
        (["nothing"] * 10, ("person",), True, "no label in the train split teaches anything"),
        (["person"] * 10, ("person",), False, "knows one class, 'person'; a classification needs"),
    ],
)
def test_data_that_teach_nothing_are_one_line_and_2(
    tmp_path: Path,
    kinds: list[str],
    classes: tuple[str, ...],
    boxes: bool,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    snapshot = write(tmp_path / "snap", kinds, classes, boxes=boxes)
    assert trained(snapshot, tmp_path / "model") == 2
    assert_one_line(capsys, says)
    assert not (tmp_path / "model").exists()


def test_the_way_out_of_an_empty_class_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the message says to do can be done."""
    snapshot = write(tmp_path / "snap", ["person"] * 10, ("person", "dog"))
    assert trained(snapshot, tmp_path / "model") == 2
    advice = capsys.readouterr().err.partition("drop it: edgefactory ")[2].split()
    command = [word.strip("'") for word in advice]
    command[-1] = str(tmp_path / "dropped")
    assert main(command) == 0
    assert json.loads((tmp_path / "dropped/manifest.jsonl").read_text().splitlines()[0])[
        "classes"
    ] == ["person"]


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--recipe", "gone.yaml"], 2, "recipe gone.yaml: no such file"),
        (["--recipe", "detecton"], 2, "did you mean 'detection'?"),
        (["--recipe", "classification"], 2, "is a snapshot for detection, the recipe's task is"),
        (["--recipe", "temporal"], 2, "is a snapshot for detection"),
        (["--set", "model=timm/resnet999"], 2, "timm has no model 'resnet999'"),
        (["--set", "model=yolo"], 2, "yolo"),
        (["--set", "learning_rate=fast"], 2, "learning_rate"),
        (["--set", "devices=9"], 2, "devices is 9, the batch 4"),
        (["--set", "weights=gone"], 3, "gone"),
        (["--set", "augment=1"], 2, "augment"),
    ],
)
def test_a_wrong_recipe_is_one_line(
    two: Path, tmp_path: Path, more: list[str], code: int, says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert trained(two, tmp_path / "model", *more) == code
    assert_one_line(capsys, says)
    assert not (tmp_path / "model").exists()


@pytest.mark.component
def test_a_loss_that_is_no_number_says_what_to_lower(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(two, tmp_path / "model", "--set", "learning_rate=1e30") == 2
    assert_one_line(capsys, "lower learning_rate")
    assert not (tmp_path / "model").exists()


@pytest.mark.component
def test_too_little_memory_says_what_to_lower(two: Path, tmp_path: Path) -> None:
    """A child that may take two gigabytes more than it has is asked for far more."""
    code = (
        "import resource, sys; import torch, lightning.fabric, edgefactory.training\n"
        "from edgefactory.pipelines import main\n"
        "have = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (have + (2 << 30),) * 2)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = ["train", str(two), "--out", str(tmp_path / "model"), *FAST, "--set", "width=512"]
    command += ["--set", "resolution=[2048, 2048]", "--set", "batch=12"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "memory does not suffice for a batch of 12 pictures of 2048x2048" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model").exists()


def assert_one_line(capsys: pytest.CaptureFixture[str], says: str) -> None:
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("edgefactory")]
    assert len(said) == 1
    assert says in said[0]
