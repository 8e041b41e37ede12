"""`edgefactory data import` and `data export`: every format, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.contract import file_digest
from edgefactory.datasets import read_snapshot
from edgefactory.pipelines import main


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two pictures in class folders."""
    for number, class_ in enumerate(("cat", "dog")):
        (tmp_path / "in" / class_).mkdir(parents=True)
        pixels = np.full((8, 8, 3), 90 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / class_ / f"{number}.png")
    return tmp_path / "in"


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """A picture with one box."""
    root = tmp_path / "yolo"
    root.mkdir()
    Image.new("RGB", (40, 20)).save(root / "a.png")
    (root / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (root / "classes.txt").write_text("cat\n")
    return root


def run(*arguments: object, code: int = 0) -> None:
    assert main([str(argument) for argument in arguments]) == code


@pytest.mark.parametrize("form", ["coco", "voc", "yolo"])
def test_a_box_goes_out_and_comes_in(tmp_path: Path, yolo: Path, form: str) -> None:
    run("data", "import", "yolo", yolo, "--out", tmp_path / "1", "--name", "set")
    run("data", "export", form, tmp_path / "1", "--out", tmp_path / "out")
    run("data", "import", form, tmp_path / "out", "--out", tmp_path / "2", "--name", "set")
    (first,), (second,) = (read_snapshot(tmp_path / n).items for n in ("1", "2"))
    assert first.labels[0].box == second.labels[0].box == (15.0, 5.0, 25.0, 15.0)
    assert first.name == second.name == "a.png"


def test_classes_go_out_and_come_in(tmp_path: Path, folders: Path) -> None:
    run("data", "import", "folders", folders, "--out", tmp_path / "1")
    run("data", "export", "folders", tmp_path / "1", "--out", tmp_path / "out")
    run("data", "import", "folders", tmp_path / "out", "--out", tmp_path / "2", "--name", "in")
    assert read_snapshot(tmp_path / "1") == read_snapshot(tmp_path / "2")


def test_the_answer_says_what_was_lost(
    tmp_path: Path, yolo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("data", "import", "yolo", yolo, "--out", tmp_path / "1", "--annotator", "ann")
    capfd.readouterr()
    run("data", "export", "voc", tmp_path / "1", "--out", tmp_path / "out")
    line = capfd.readouterr().out
    assert "voc does not keep: " in line
    assert "origins (1)" in line
    run("--json", "data", "export", "voc", tmp_path / "1", "--out", tmp_path / "out")
    lost = json.loads(capfd.readouterr().out)["lost"]
    assert lost == json.loads((tmp_path / "out/edgefactory-export.json").read_text())["left_out"]
    assert lost["states"] == 1


def test_only_asked_states_go_out(
    tmp_path: Path, yolo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("data", "import", "yolo", yolo, "--out", tmp_path / "1")
    capfd.readouterr()
    out = tmp_path / "out"
    run("--json", "data", "export", "coco", tmp_path / "1", "--out", out, "--state", "reviewed")
    assert json.loads(capfd.readouterr().out)["labels"] == 0


def test_an_export_does_not_replace_what_is_no_export(
    tmp_path: Path, yolo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("data", "import", "yolo", yolo, "--out", tmp_path / "1")
    run("data", "export", "yolo", tmp_path / "1", "--out", yolo, code=2)
    assert "it is not replaced" in capfd.readouterr().err
    assert (yolo / "a.txt").is_file()


def test_label_studio_answers_become_a_snapshot(
    tmp_path: Path, yolo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("data", "import", "yolo", yolo, "--out", tmp_path / "1")
    file = tmp_path / "tasks.json"
    tasks = ("data", "export", "label-studio", tmp_path / "1", "--out", file)
    run(*tasks, "--base-url", "http://127.0.0.1", "--state", "accepted")
    assert "RectangleLabels" in file.with_suffix(".xml").read_text()
    (task,) = json.loads(file.read_text())
    task["annotations"] = [{"result": task["predictions"][0]["result"], "completed_by": 3}]
    file.write_text(json.dumps([task]))
    answers = ("data", "import", "label-studio", file)
    run(*answers, "--snapshot", tmp_path / "1", "--out", tmp_path / "2")
    (item,) = read_snapshot(tmp_path / "2").items
    assert (item.reviewed, item.labels[0].origin) == (True, "human:3")
    assert "1 pictures reviewed" in capfd.readouterr().out


def test_a_video_is_sampled(tmp_path: Path, video: Path) -> None:
    sampling = ("--sample", "step", "--step", 20, "--classes", "person")
    run("data", "import", "video", video, "--out", tmp_path / "1", *sampling)
    snapshot = read_snapshot(tmp_path / "1")
    assert ([item.frame for item in snapshot.items], snapshot.classes) == ([0, 20], ("person",))


def test_sequences_are_imported_and_go_through_the_other_commands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        rows = np.random.default_rng(number).normal(number % 2, 1, (20, 3))
        path = tmp_path / "in" / ("still", "moving")[number % 2] / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows.tolist()))
    steps = ("--steps", 8, "--hop", 6, "--rate", 4)
    run("--json", "data", "import", "sequences", tmp_path / "in", "--out", tmp_path / "1", *steps)
    told = json.loads(capfd.readouterr().out)
    assert (told["pictures"], told["signal"]["steps"], told["signal"]["rate"]) == (36, 8, 4)
    same = ("--signal", tmp_path / "1", "--name", "more", "--hop", 8)
    run("data", "import", "sequences", tmp_path / "in", "--out", tmp_path / "2", *same)
    assert "of 8 steps (2 s)" in capfd.readouterr().out
    run("data", "split", tmp_path / "1", "--out", tmp_path / "3", "--by", "source")
    run("data", "merge", tmp_path / "1", tmp_path / "2", "--out", tmp_path / "4")
    run("data", "stats", tmp_path / "3")
    run("data", "check", tmp_path / "3")
    run("data", "diff", tmp_path / "1", tmp_path / "3")
    assert read_snapshot(tmp_path / "3").signal == read_snapshot(tmp_path / "4").signal


def test_the_annotated_part_of_a_video_tests(tmp_path: Path, video: Path) -> None:
    truth = {
        "schema": "truth/1",
        "clip": {
            "file": "x",
            "sha256": file_digest(video),
            "frames": 40,
            "width": 96,
            "height": 64,
        },
        "how": "drawn for a test",
        "annotators": ["ann"],
        "classes": ["face"],
        "line": None,
        "frames": [{"frame": 30, "boxes": [{"class": "face", "box": [1, 2, 11, 22]}]}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    run(
        "data",
        "import",
        "video",
        video,
        "--truth",
        tmp_path / "truth.json",
        "--out",
        tmp_path / "1",
    )
    (item,) = read_snapshot(tmp_path / "1").split("test")
    assert (item.frame, item.labels[0].origin) == (30, "human:ann")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "sequences", "IN", "--out", "o", "--steps", "0"), "steps is 0; expected 1"),
        (("import", "sequences", "IN", "--out", "o"), "holds no recordings in class folders"),
        (("import", "sequences", "IN", "--out", "o", "--signal", "s"), "signal s is not there"),
        (("import", "folders", "IN", "--out", "o", "--hop", "2"), "--hop has no meaning"),
        (("import", "yolo", "IN", "--out", "o", "--step", "2"), "--step has no meaning for yolo"),
        (("import", "video", "IN", "--out", "o", "--drop-bad"), "--drop-bad has no meaning"),
        (("import", "yolo", "IN", "--out", "o", "--truth", "t"), "--truth has no meaning for yolo"),
        (("import", "label-studio", "IN", "--out", "o"), "with --snapshot"),
        (("import", "coco", "IN", "--out", "o"), "holds no COCO data set"),
        (("export", "coco", "IN", "--out", "o", "--base-url", "u"), "belongs to label-studio"),
        (("export", "label-studio", "IN", "--out", "o"), "label-studio needs it"),
        (("export", "coco", "IN", "--out", "o"), "expected the folder of a snapshot"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path,
    yolo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(yolo) if argument == "IN" else argument for argument in arguments]
    assert main(["data", *given]) in {2, 3}
    error = capfd.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not Path("o").exists()
