"""`specialise`: a teacher and a scene in, a specialist and a fair comparison out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgefactory.compress.comparing import Comparison, Figure, Side
from edgefactory.datasets import Header, Item, Label, Split, write_manifest
from edgefactory.pipelines import main
from edgefactory.pipelines.specialising import Specialised
from edgefactory.pipelines.specialpage import claim, rows
from edgefactory.pipelines.specialpage.pairs import judged
from edgefactory.training import Detections, Truth

from .evalpage.graphs import QUARTERS, item, quarters, scene

FAST = ["--set", "epochs=2", "--set", "width=16", "--set", "batch=8", "--set", "threads=1"]


@pytest.fixture(scope="module")
def lamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures in order: nobody has labelled them but the last ten, which people have."""
    folder = tmp_path_factory.mktemp("lamps")
    generator = np.random.default_rng(0)
    items: list[Item] = []
    for number in range(40):
        lit = generator.random(4) < 0.5
        levels = np.where(lit, generator.integers(150, 250, 4), generator.integers(5, 50, 4))
        split: Split = "train" if number < 25 else "val" if number < 30 else "test"
        labels = tuple(
            Label("lamp", box, "human:ann", 1.0, "reviewed")
            for box, on in zip(QUARTERS, lit, strict=True)
            if on
        )
        one, content = item(
            scene(*levels), split, labels if split == "test" else (), "cam", float(number)
        )
        items.append(one)
        (folder / "images").mkdir(exist_ok=True)
        (folder / one.file).write_bytes(content)
    write_manifest(folder, Header("lamps", "detection", ("lamp",), "human"), items)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("teacher") / "lamps.onnx"
    path.write_bytes(quarters())
    return f"onnx:{path}"


@pytest.fixture
def scene_command(lamps: Path, teacher: str, tmp_path: Path) -> list[str]:
    command = ["specialise", str(lamps), "--teacher", teacher, "--classes", "lamp"]
    return [*command, "--out", str(tmp_path / "made")]


@pytest.mark.component
def test_a_scene_becomes_a_specialist_and_nothing_is_done_twice(
    scene_command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    out = Path(scene_command[-1])
    command = [*scene_command, *FAST, "--workers", "1", "--tracking", "none"]
    assert main([*command, "--json"]) == 0
    made = json.loads(capfd.readouterr().out)
    assert json.loads((out / "specialise.json").read_text()) == made
    said = made["comparison"]
    assert said["labels"] == "human"
    assert said["pictures"] == 10
    assert said["second"]["figures"]["ap50"]["value"] > 0.9
    assert said["first"]["frame_ms"] > 0
    page = (out / "specialise.html").read_text()
    assert page.count("<figure>") == 8  # four pictures, as each of the two sees it
    assert "judged by people" in page

    weights = out / "checkpoint" / "model.safetensors"
    labelled = out / "labelled" / "manifest.jsonl"
    before = weights.stat().st_mtime_ns, labelled.stat().st_mtime_ns
    assert main(command) == 0
    assert "specialist less teacher" in capfd.readouterr().out
    assert (weights.stat().st_mtime_ns, labelled.stat().st_mtime_ns) == before
    assert main([*command, "--set", "seed=1"]) == 0
    assert weights.stat().st_mtime_ns != before[0]
    assert labelled.stat().st_mtime_ns == before[1]
    assert {path.name for path in out.iterdir()} == {
        ".steps.json",
        "checkpoint",
        "labelled",
        "model.onnx",
        "specialise.html",
        "specialise.json",
    }


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--set", "epoch=3"], 2, "unknown key 'epoch'; did you mean 'epochs'?"),
        (["--recipe", "embedding"], 2, "a specialist is a detector or a classifier"),
        (["--recipe", "scene-specialst"], 2, "did you mean 'scene-specialist'?"),
        (["--accept", "2"], 2, "--accept is 2"),
        (["--step", "0"], 2, "--step is 0"),
        (["--teacher", "nobody"], 2, "nobody"),
        (["--teacher", "onnx:gone.onnx"], 3, "gone.onnx is not there"),
    ],
)
def test_what_is_wrong_is_one_line_before_long_work(
    scene_command: list[str],
    more: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = Path(scene_command[-1])
    assert main([*scene_command, *more]) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not out.exists() or {path.name for path in out.iterdir()} <= {".steps.json"}


def test_a_source_that_is_not_there_and_a_folder_that_is_in_use(
    lamps: Path, teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["specialise", "gone.mp4", "--teacher", teacher, "--out", str(tmp_path / "made")]
    assert main(command) == 3
    assert "gone.mp4 is not there" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["specialise", str(lamps), "--teacher", teacher, "--out", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err


def test_a_teacher_of_other_classes_is_refused(
    scene_command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*scene_command, "--classes", "torch"]) == 2
    assert "has the classes lamp, the teacher knows torch" in capsys.readouterr().err


def compared(low: float, high: float, labels: str = "human") -> Specialised:
    middle = (low + high) / 2
    small, large = (
        Side(name, {"ap50": Figure(value, value - 0.05, value + 0.05)}, took)
        for name, value, took in (("small", 0.8 + middle, 1.5), ("large", 0.8, 300.0))
    )
    said = Comparison(
        metric="ap50",
        pictures=46,
        labels=labels,
        first=small,
        second=large,
        difference=Figure(middle, low, high),
        time_ratio=Figure(200.0, 190.0, 210.0),
    )
    return Specialised("specialise/1", "person", "a", "b", "c", 82_000, 337_000, 9, said)


@pytest.mark.parametrize(
    ("low", "high", "labels", "says"),
    [
        (0.01, 0.09, "human", "is better than its teacher (AP50 0.850 against 0.800)"),
        (-0.09, -0.01, "human", "is not as good as its teacher (AP50 0.750 against 0.800)"),
        (-0.02, 0.04, "imported", "cannot be told from its teacher"),
        (0.01, 0.09, "teacher", "agrees with its teacher to AP50 0.850"),
    ],
)
def test_the_claim_reaches_as_far_as_the_interval(
    low: float, high: float, labels: str, says: str
) -> None:
    assert says in claim(compared(low, high, labels))
    assert claim(compared(low, high, labels)).endswith("200× quicker")


def test_the_table_has_both_and_their_difference() -> None:
    table = rows(compared(-0.02, 0.04).comparison)
    assert [row[0] for row in table] == ["specialist", "teacher", "specialist less teacher"]
    assert table[0][2:] == ("0.810", "0.760–0.860", "1.50 ms")
    assert table[2][2:4] == ("+0.010", "−0.020 to +0.040")


def test_boxes_are_found_false_or_missed() -> None:
    truth = Truth(
        np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 60, 20.0]]),
        np.zeros(3, np.int64),
        np.array([False, False, True]),
    )
    found = Detections(
        np.array([[1, 0, 10, 10], [70, 0, 80, 10], [45, 5, 50, 10.0]]),
        np.array([0.9, 0.8, 0.7]),
        np.zeros(3, np.int64),
    )
    assert [kind for kind, _ in judged(found, truth)] == ["hit", "false", "ignore", "miss"]
    assert judged(found, truth)[-1][1] == (20, 0, 30, 10)


def test_a_box_of_another_class_finds_nothing() -> None:
    truth = Truth(np.array([[0, 0, 10, 10.0]]), np.array([1]), np.array([False]))
    found = Detections(np.array([[0, 0, 10, 10.0]]), np.array([0.9]), np.array([0]))
    assert [kind for kind, _ in judged(found, truth)] == ["false", "miss"]
