"""What `summary.json` tells, and from where."""

from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import Evidence, EvidenceBook, RunReport, VariantSet, file_digest, read
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.report import Summary, build_report, read_summary
from edgefactory.pipelines.report.inputs import read_inputs
from edgefactory.pipelines.report.summarise import summarise


def report(workspace: Path) -> Summary:
    """The summary of a workspace, without the page."""
    return summarise(read_inputs(workspace))


def rewrite(path: Path, kind: type[msgspec.Struct], **changes: object) -> None:
    """Replace keys of a document."""
    document = msgspec.structs.replace(read(path, kind), **changes)
    path.write_bytes(msgspec.json.encode(document))


def test_the_keys_that_others_rely_on(finished: Path) -> None:
    made = build_report(finished, finished / "report.html", finished / "summary.json")
    assert read_summary(finished / "summary.json") == made == report(finished)
    raw = msgspec.json.decode((finished / "summary.json").read_bytes())
    assert raw["schema"] == "summary/1"
    assert raw["teacher"]["ap50"] == 0.826
    int8 = raw["specialist"]["onnx-int8"]
    assert (int8["ap50"], int8["latency_ms"], int8["bytes"]) == (0.841, 0.84, 226_117)
    variants = read(finished / "variants" / "variants.json", VariantSet)
    assert int8["sha256"] == variants.variants[1].files["model.onnx"].sha256
    assert raw["edge"]["release"] == file_digest(finished / "release" / "release.json")
    assert raw["edge"]["self_test"] == "passed"
    assert (raw["edge"]["people_counted"], raw["edge"]["true_count"]) == (3, 3)
    assert raw["seconds"]["train"] == 61.2
    assert raw["gate"] == {"passed": True, "rules": 11, "failed": []}
    assert raw["truth"] == "human"


def test_headline_is_what_the_branch_ran(finished: Path) -> None:
    assert report(finished).headline == "onnx-int8"
    rewrite(finished / "branch" / "run.json", RunReport, variant="openvino-int8")
    summary = report(finished)
    assert summary.headline == "openvino-int8"
    assert summary.time_ratio == pytest.approx(190 / 0.62)


def test_teacher_is_compared_on_the_headlines_engine(finished: Path) -> None:
    teacher = report(finished).teacher
    assert teacher is not None
    assert (teacher.engine, teacher.precision, teacher.latency_ms) == ("onnxruntime", "f32", 201.4)
    assert (teacher.ap50, teacher.bytes) == (0.826, 12_900_000)


def test_stages_after_prove_may_be_missing(detection: Path) -> None:
    (detection / "branch" / "truth.json").unlink()
    summary = report(detection)
    assert summary.gate is None
    assert summary.edge is None
    assert summary.headline == "onnx-int8"


def test_stages_up_to_prove_must_be_there(detection: Path) -> None:
    (detection / "evidence" / "evidence.json").unlink()
    with pytest.raises(MissingError, match="edgefactory prove"):
        report(detection)


def test_a_variant_that_was_not_run_has_no_figures(detection: Path) -> None:
    portable = report(detection).specialist["qdq-int8"]
    assert (portable.n, portable.ap50, portable.latency_ms) == (None, None, None)
    assert portable.bytes == 240_441


def test_skipped_variants_keep_their_reason(detection: Path) -> None:
    assert "not installed" in report(detection).skipped["tensorrt-rtx-int8"]


def test_figures_of_other_bytes_do_not_count(detection: Path) -> None:
    path = detection / "evidence" / "evidence.json"
    book = read(path, EvidenceBook)
    foreign = tuple(
        msgspec.structs.replace(e, file_sha256="0" * 64) if e.subject != "teacher" else e
        for e in book.items
    )
    rewrite(path, EvidenceBook, items=foreign)
    with pytest.raises(InputError, match="measured none of the files"):
        report(detection)


def test_figures_of_another_slice_do_not_count(detection: Path) -> None:
    path = detection / "evidence" / "evidence.json"
    items = read(path, EvidenceBook).items
    dark = [msgspec.structs.replace(e, value=0.1, slice="dark") for e in items]
    rewrite(path, EvidenceBook, items=(*dark, *items))
    assert report(detection).specialist["onnx-int8"].ap50 == 0.841


def test_teacher_quality_stands_in_f32_rows_only(detection: Path) -> None:
    path = detection / "evidence" / "evidence.json"

    def only(e: Evidence) -> bool:
        return e.subject != "teacher" or e.precision == "bf16" or e.metric == "ap50"

    rewrite(path, EvidenceBook, items=tuple(e for e in read(path, EvidenceBook).items if only(e)))
    teacher = report(detection).teacher
    assert teacher is not None
    assert teacher.precision == "f32"
    assert teacher.ap50 == 0.826


def test_true_count_needs_the_truth_of_that_line(finished: Path) -> None:
    (finished / "branch" / "truth.json").unlink()
    edge = report(finished).edge
    assert edge is not None
    assert (edge.people_counted, edge.true_count) == (3, None)


def test_only_crossings_that_the_branch_watched_are_true(finished: Path) -> None:
    rewrite(finished / "branch" / "run.json", RunReport, first_frame=560, frames=35)
    edge = report(finished).edge
    assert edge is not None
    assert edge.true == {"in": 1, "out": 1}


def test_without_a_line_nothing_was_counted(finished: Path) -> None:
    rewrite(finished / "branch" / "run.json", RunReport, counts={})
    edge = report(finished).edge
    assert edge is not None
    assert edge.people_counted is None


def test_digits_tell_accuracy_and_vouchers(digits: Path) -> None:
    summary = report(digits)
    best, edge = summary.best, summary.edge
    assert (best.accuracy, best.ap50) == (0.841, None)
    assert summary.teacher is None
    assert summary.time_ratio is None
    assert edge is not None
    assert (edge.vouchers, edge.vouchers_read, edge.vouchers_right) == (1, 1, 0)
    assert edge.people_counted is None
