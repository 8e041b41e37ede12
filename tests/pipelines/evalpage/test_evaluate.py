"""`edgefactory evaluate`: the tables, the JSON, the page, and one line for what is wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import read
from edgefactory.datasets import Item, read_header, stream_items, write_manifest
from edgefactory.pipelines.cli import main
from edgefactory.pipelines.evalpage.wording import MISTAKES
from edgefactory.training.evaluation import Evaluation

from .graphs import quarters

pytestmark = pytest.mark.component

QUICK = ["--bootstrap", "50"]


class Tags(HTMLParser):
    """What a page links to, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(out: Path) -> Tags:
    page = Tags()
    page.feed((out / "evaluation.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert all(link.startswith(("data:image/jpeg;base64,", "#")) for link in page.links)
    return page


def evaluated(*command: str) -> int:
    return main(["evaluate", *command, *QUICK])


def test_a_detector_is_judged_from_table_to_page(
    models: Path, lamps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "judged"
    assert evaluated(str(models / "lamps.onnx"), str(lamps), "--out", str(out)) == 0
    said = capsys.readouterr().out
    found = read(out / "evaluation.json", Evaluation)
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.html", "evaluation.json"]
    assert {part.by for part in found.slices} == {"all", "size", "source", "time"}
    assert [part.name for part in found.slices if part.by == "time"] == [
        "00:00-06:00",
        "12:00-18:00",
    ]
    assert found.point is not None
    assert found.point.chosen_on == "val"
    assert re.search(r"^AP50 +0\.\d{3} +0\.\d{3}–", said, re.MULTILINE)
    assert "best F1" in said
    assert re.search(r"^door +\d+ ", said, re.MULTILINE)
    page = page_of(out)
    assert "a <lamp> line" in page.text
    assert "<hall>" in page.text
    assert found.mistakes_of_kind
    titles = [MISTAKES[kind].name for kind in found.mistakes_of_kind]
    for name in (*titles, "Where it is better and worse", "What it takes for what"):
        assert name in page.text


def test_a_classifier_and_an_embedding_have_their_own_figures(
    models: Path, paints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "judged"
    assert evaluated(str(models / "paints.onnx"), str(paints), "--out", str(out)) == 0
    assert "balanced accuracy" in capsys.readouterr().out
    assert "taken for" in page_of(out).text
    assert evaluated(str(models / "likeness.onnx"), str(paints), "--out", str(out)) == 0
    assert "recall@1" in capsys.readouterr().out
    assert "most like" in page_of(out).text


def test_json_is_the_whole_evaluation(
    models: Path, lamps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", "evaluate", str(models / "lamps.onnx"), str(lamps), *QUICK]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "evaluation/1"
    assert found["slices"][0]["figures"]["ap"]["n"] > 0


def test_costs_and_precision_move_the_operating_point(
    models: Path, lamps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = {}
    for option in (("--cost", "fn=9,fp=1"), ("--cost", "fn=1,fp=9"), ("--precision", "0.95")):
        assert main(["--json", "evaluate", str(models / "lamps.onnx"), str(lamps), *option]) == 0
        points[option] = json.loads(capsys.readouterr().out)["point"]
    low, high, precise = points.values()
    assert low["score_threshold"] < high["score_threshold"]
    assert low["chosen_by"].startswith("least cost at fn=9, fp=1")
    assert "95% interval from" in precise["chosen_by"]


def test_the_same_figures_by_openvino(
    models: Path, lamps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for engine in ("onnxruntime", "openvino"):
        command = ["evaluate", str(models / "lamps.onnx"), str(lamps), "--engine", engine, *QUICK]
        assert main(["--json", *command]) == 0
        told.append(json.loads(capsys.readouterr().out))
    for one, other in zip(told[0]["slices"], told[1]["slices"], strict=True):
        assert one.get("figures", {}).keys() == other.get("figures", {}).keys()
        for name, figure in one.get("figures", {}).items():
            value = other["figures"][name].get("value")
            assert figure.get("value") == pytest.approx(value, abs=1e-6)


def test_a_graph_that_says_nothing_of_itself_is_read_as_a_teacher(
    models: Path, lamps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mute = models / "mute.onnx"
    assert evaluated(str(mute), str(lamps)) == 2
    error = capsys.readouterr().err
    assert "does not say what it is" in error
    assert "--classes a,b" in error
    told = []
    for command in (
        [str(mute), str(lamps), "--classes", "lamp"],
        [f"onnx:{mute}?resize=pillow-box", str(lamps), "--classes", "lamp"],
        [str(models / "lamps.onnx"), str(lamps)],
    ):
        assert main(["--json", "evaluate", *command, *QUICK]) == 0
        told.append(json.loads(capsys.readouterr().out)["slices"][0])
    assert told[0] == told[1] == told[2]


def test_without_val_the_point_is_of_the_judged_pictures_and_says_so(
    models: Path, lamps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = _changed(
        lamps, tmp_path / "alone", lambda items: [i for i in items if i.split != "val"]
    )
    out = tmp_path / "judged"
    assert evaluated(str(models / "lamps.onnx"), str(alone), "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert "chosen on the very pictures that it is judged on" in said
    found = read(out / "evaluation.json", Evaluation)
    assert found.point is not None
    assert found.point.chosen_on == "test"
    assert found.calibration is not None
    assert found.calibration.temperature is None
    assert "no other split" in found.calibration.why


def test_a_point_by_a_teachers_labels_says_so(
    models: Path, lamps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def by_machine(items: list[Item]) -> list[Item]:
        return [
            msgspec.structs.replace(
                item,
                labels=tuple(
                    msgspec.structs.replace(label, origin="teacher:" + "0" * 64, state="accepted")
                    for label in item.labels
                ),
            )
            for item in items
        ]

    guessed = _changed(lamps, tmp_path / "guessed", by_machine)
    assert evaluated(str(models / "lamps.onnx"), str(guessed)) == 0
    assert "whose labels are a teacher's" in capsys.readouterr().out


def _changed(snapshot: Path, out: Path, change: Callable[[list[Item]], list[Item]]) -> Path:
    shutil.copytree(snapshot, out)
    items = [*stream_items(out)]
    write_manifest(out, read_header(out), change(items))
    return out


def _refused(capsys: pytest.CaptureFixture[str], *command: str, code: int = 2) -> str:
    """The one line of a refusal."""
    assert evaluated(*command) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("edgefactory: ")
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


def test_snapshots_that_cannot_be_judged_are_one_line_each(
    models: Path, lamps: Path, paints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(models / "lamps.onnx")
    assert "the split train is empty" in _refused(capsys, model, str(lamps), "--split", "train")
    bare = _changed(
        lamps,
        tmp_path / "bare",
        lambda items: [msgspec.structs.replace(i, labels=()) for i in items],
    )
    assert "holds no box to find in 24 pictures" in _refused(capsys, model, str(bare))
    said = _refused(capsys, model, str(paints))
    assert "is a model for detection" in said
    assert "is labelled for classification" in said
    paint = str(models / "paints.onnx")
    unsure = _changed(
        paints,
        tmp_path / "unsure",
        lambda items: [msgspec.structs.replace(i, labels=()) for i in items],
    )
    assert "no picture with a settled class" in _refused(capsys, paint, str(unsure))
    assert "manifest.jsonl is not there" in _refused(capsys, model, str(tmp_path), code=3)


def test_models_that_do_not_fit_are_one_line_each(
    lamps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(quarters(("lamp", "<sun>")))
    said = _refused(capsys, str(model), str(lamps))
    assert "other classes: only the model has <sun>" in said
    assert "edgefactory data remap" in said
    model.write_bytes(b"not a graph")
    assert "is not an ONNX model" in _refused(capsys, str(model), str(lamps))
    (tmp_path / "notes.txt").write_text("no model")
    assert "is no model; expected a checkpoint" in _refused(
        capsys, str(tmp_path / "notes.txt"), str(lamps)
    )
    assert "is no model" in _refused(capsys, str(tmp_path), str(lamps))
    assert "is not there" in _refused(capsys, str(tmp_path / "gone.onnx"), str(lamps), code=3)
    model.write_bytes(quarters().replace(b'"width":64', b'"width":48'))
    assert "does not run on a picture of 48x48" in _refused(capsys, str(model), str(lamps))


def test_options_that_make_no_sense_are_one_line_each(
    models: Path, lamps: Path, paints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(models / "lamps.onnx")
    for options, says in {
        ("--cost", "fn=5,miss=1"): "found 'miss'; expected fn and fp",
        ("--precision", "1.5"): "--precision is 1.5",
        ("--bootstrap", "0"): "--bootstrap must be at least 1",
        ("--timezone", "Atlantis"): "--timezone 'Atlantis' is not known",
        ("--variant", "int8"): "--variant is not for a single graph",
        ("--classes", "sun"): "names its own classes (lamp)",
    }.items():
        assert main(["evaluate", model, str(lamps), *options]) == 2
        assert says in capsys.readouterr().err
    paint = str(models / "paints.onnx")
    assert "has no such score" in _refused(capsys, paint, str(paints), "--cost", "fn=1,fp=1")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    said = _refused(capsys, model, str(lamps), "--out", str(tmp_path / "mine"))
    assert "holds no evaluation.json" in said
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_interrupt_leaves_nothing_half_written(
    models: Path,
    lamps: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgefactory.pipelines.evalpage.page.render", interrupt)
    out = tmp_path / "judged"
    assert evaluated(str(models / "lamps.onnx"), str(lamps), "--out", str(out)) == 130
    assert list(tmp_path.iterdir()) == []
