"""The page: one file, honest, and safe to open whatever the inputs say."""

import re
import shutil
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import RunReport, read
from edgefactory.datasets.errors import InputError
from edgefactory.pipelines.report import build_report
from edgefactory.pipelines.report.page import MOST_PAGE_BYTES


def page(workspace: Path) -> str:
    """The page as text."""
    build_report(workspace, workspace / "report.html", workspace / "summary.json")
    return (workspace / "report.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    """What a person reads, on one line."""
    body = re.sub(r"<style>.*?</style>|data:[^\"]*", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_it_is_one_file_that_asks_for_nothing(finished: Path) -> None:
    html = page(finished)
    assert len(html.encode()) < MOST_PAGE_BYTES
    assert "<script" not in html
    assert "default-src 'none'" in html
    for reference in re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]{1,12})", html):
        assert reference.startswith(("data:", "#")), reference


def test_the_same_inputs_give_the_same_bytes(finished: Path) -> None:
    assert page(finished) == page(finished)


def test_ids_are_unique(finished: Path) -> None:
    ids = re.findall(r"\bid=\"([^\"]+)\"", page(finished))
    assert len(ids) == len(set(ids))


def test_it_tells_the_figures_and_who_signed(finished: Path) -> None:
    said = words(page(finished))
    for part in (
        "0.841",
        "0.803–0.871",
        "226×",
        "226 kB",
        "3 of 3",
        "annotated independently of the teacher",
    ):
        assert part in said
    for part in ("approver , line", "2 of 3", "teacher − 0.01"):
        assert part in said
    assert "does not verify" not in said


def test_the_branch_says_what_it_measured(finished: Path) -> None:
    said = words(page(finished))
    assert "8 golden samples" in said
    assert "Not run there: qdq-int8 (no openvino)" in said
    assert "onnx-fp32 1.70 ms, onnx-int8 0.810 ms" in said


def test_every_link_of_the_lineage_holds(finished: Path) -> None:
    said = words(page(finished))
    for link in ("names this snapshot", "judged this release", "cover this release"):
        assert link in said
    assert "✕" not in said


def test_a_broken_link_is_shown(finished: Path) -> None:
    path = finished / "branch" / "run.json"
    run = msgspec.structs.replace(read(path, RunReport), release="0" * 64)
    path.write_bytes(msgspec.json.encode(run))
    assert "ran another release" in words(page(finished))


def test_a_tree_that_was_tampered_with_is_shown(finished: Path) -> None:
    path = finished / "published" / "metadata" / "timestamp.json"
    path.write_bytes(re.sub(rb'"version":\s*2', b'"version":3', path.read_bytes()))
    assert "The published tree does not verify" in words(page(finished))


def test_what_has_not_run_is_said(detection: Path) -> None:
    said = words(page(detection))
    assert "No verdict yet" in said
    assert "Nothing is signed" in said
    assert "No branch has run this release yet" in said


def test_stages_without_a_time_are_no_obstacle(detection: Path) -> None:
    shutil.rmtree(detection / ".edgefactory")
    assert "How the line went" in words(page(detection))


def test_without_human_truth_it_says_so(unlabelled: Path) -> None:
    said = words(page(unlabelled))
    assert "against the teacher’s labels" in said
    assert "how well the specialist imitates" in said
    assert "Annotated truth" not in said


def test_a_refused_release_is_the_first_thing_said(finished: Path) -> None:
    path = finished / "gate" / "verdict.json"
    verdict = msgspec.json.decode(path.read_bytes())
    verdict["passed"] = False
    verdict["rules"][1] |= {"passed": False, "reason": "found 0.2, required ap50 ≥ 0.7"}
    path.write_bytes(msgspec.json.encode(verdict))
    said = words(page(finished))
    assert "The gate said no" in said
    assert "found 0.2, required" in said


def test_names_from_outside_are_escaped(finished: Path) -> None:
    attack = "<img src=x onerror=alert(1)>.avi"
    source = {"schema": "source/1", "what": "clip", "file": attack, "sha256": None, "origin": "x"}
    path = finished / "input" / "clip" / "source.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(source))
    html = page(finished)
    assert attack not in html
    assert "&lt;img src=x" in html


def test_a_clip_that_is_too_large_is_named_instead(finished: Path) -> None:
    (finished / "branch" / "annotated.mp4").write_bytes(b"\0" * 4_000_001)
    html = page(finished)
    assert "<video" not in html
    assert "branch/annotated.mp4" in html


def test_predictions_may_only_name_held_out_pictures(detection: Path) -> None:
    path = detection / "evidence" / "predictions.json"
    text = re.sub(r"snapshot/images/\w+\.jpg", "../../etc/passwd", path.read_text())
    path.write_text(text)
    with pytest.raises(InputError, match="no held-out picture"):
        page(detection)


def test_malformed_predictions_name_the_frame(detection: Path) -> None:
    path = detection / "evidence" / "predictions.json"
    document = msgspec.json.decode(path.read_bytes())
    document["frames"]["565"]["onnx-int8"] = [[1, 2, 3]]
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(InputError, match="frame 565: 'onnx-int8'"):
        page(detection)


def test_digits_show_what_was_misread(digits: Path) -> None:
    said = words(page(digits))
    assert "1 of 12 held-out digits are misread" in said
    assert "0 of 1 vouchers" in said
    assert "678401" in said
    assert "Teacher" not in said
