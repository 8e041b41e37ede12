"""The gate passes what is proven and refuses all else, above all what is missing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import Evidence, EvidenceBook, FileRef, Release, digest, encode
from edgefactory.datasets.errors import GateError, InputError, MissingError
from edgefactory.registry import (
    ReleaseSettings,
    Verdict,
    build_release,
    example_policy,
    gate,
    read_policy,
    read_verdict,
    refuse,
    write_verdict,
)

from .conftest import Line

POLICY = """
schema: policy/1
rules:
  - name: a rule
    type: {kind}
    metric: {metric}
    {limit}
"""


def judge(line: Line) -> Verdict:
    build_release(ReleaseSettings(), *line.inputs, line.release)
    return gate(line.release, example_policy("cctv"))


def judge_by(line: Line, kind: str, metric: str, limit: str) -> Verdict:
    build_release(ReleaseSettings(), *line.inputs, line.release)
    policy = line.folder / "policy.yaml"
    policy.write_text(POLICY.format(kind=kind, metric=metric, limit=limit))
    return gate(line.release, policy)


def failures(verdict: Verdict) -> dict[str, str]:
    return {finding.rule: finding.reason for finding in verdict.rules if not finding.passed}


def resign(folder: Path, **changes: object) -> None:
    """Change release.json as its maker could, so that all digests in it fit again."""
    path = folder / "release.json"
    release = msgspec.json.decode(path.read_bytes(), type=Release)
    path.write_bytes(encode(msgspec.structs.replace(release, **changes)))


def test_a_proven_release_passes(line: Line) -> None:
    verdict = judge(line)
    assert verdict.passed
    assert failures(verdict) == {}
    assert verdict.release == digest((line.release / "release.json").read_bytes())
    assert verdict.rules[0].rule == "bound_to_bytes"
    refuse(verdict)


def test_a_broken_model_fails(line: Line) -> None:
    """An INT8 model of AP50 0, proven honestly, is refused although its FP32 form is good."""

    def broken(item: Evidence) -> Evidence:
        if item.subject != "onnx-int8" or "ap50" not in item.metric:
            return item
        value = 0.0 if item.metric == "ap50" else -0.82
        return msgspec.structs.replace(item, value=value, interval=(value, value))

    line.change(broken)
    verdict = judge(line)
    assert not verdict.passed
    assert set(failures(verdict)) == {
        "people are found",
        "int8 is not worse than the teacher",
        "int8 is not worse than fp32",
    }
    with pytest.raises(GateError, match="onnx-int8: found 0"):
        refuse(verdict)


@pytest.mark.parametrize("metric", ["ap50_minus_teacher", "ap50_minus_fp32", "bytes"])
def test_a_missing_figure_fails(line: Line, metric: str) -> None:
    line.change(
        lambda item: None if (item.metric, item.subject) == (metric, "openvino-int8") else item
    )
    verdict = judge(line)
    assert not verdict.passed
    (reason,) = failures(verdict).values()
    assert "no figure" in reason


def test_of_best_needs_one_figure_at_least(line: Line) -> None:
    line.change(lambda item: None if item.metric == "time_ratio" else item)
    assert (
        "no figure" in failures(judge(line))["int8 is at least 100 times faster than the teacher"]
    )


def test_of_best_looks_at_the_best(line: Line) -> None:
    def slow(item: Evidence) -> Evidence:
        if item.metric == "time_ratio" and item.subject == "onnx-int8":
            return msgspec.structs.replace(item, value=5.0)
        return item

    line.change(slow)
    verdict = judge(line)
    assert verdict.passed
    assert verdict.rules[-1].subject == "openvino-int8"


def test_a_rule_about_nobody_fails(line: Line) -> None:
    verdict = judge_by(line, "at_least", "ap50", "limit: 0.1\n    precision: f16")
    assert failures(verdict) == {"a rule": "the release has no such variant"}


def test_of_two_figures_the_worse_counts(line: Line) -> None:
    book = line.book()
    twice = next(i for i in book.items if (i.metric, i.subject) == ("ap50", "onnx-int8"))
    worse = msgspec.structs.replace(twice, value=0.1)
    more = msgspec.structs.replace(book, items=(*book.items, worse))
    (line.evidence / "evidence.json").write_bytes(encode(more))
    assert "found 0.1" in failures(judge(line))["people are found"]


@pytest.mark.parametrize(("by", "passed"), [("value", True), ("interval", False)])
def test_non_inferiority_by_value_or_by_interval(line: Line, by: str, passed: bool) -> None:
    limit = f"margin: 0.01\n    by: {by}\n    variant: onnx-int8"
    assert judge_by(line, "non_inferiority", "ap50_minus_fp32", limit).passed is passed


def test_an_interval_that_was_not_computed_fails(line: Line) -> None:
    line.change(lambda item: msgspec.structs.replace(item, interval=None))
    limit = "margin: 0.5\n    by: interval"
    verdict = judge_by(line, "non_inferiority", "ap50_minus_fp32", limit)
    assert "no interval" in failures(verdict)["a rule"]


def test_a_flipped_bit_in_a_blob_fails(line: Line) -> None:
    judge(line)
    blobs = sorted((line.release / "blobs").iterdir())
    for blob in blobs:
        good = blob.read_bytes()
        blob.write_bytes(bytes([good[0] ^ 1]) + good[1:])
        assert "bound_to_bytes" in failures(gate(line.release, example_policy("cctv")))
        blob.unlink()
        assert "bound_to_bytes" in failures(gate(line.release, example_policy("cctv")))
        blob.write_bytes(good)
    assert gate(line.release, example_policy("cctv")).passed
    (line.release / "blobs" / "extra").write_bytes(b"")
    assert "bound_to_bytes" in failures(gate(line.release, example_policy("cctv")))


def test_a_figure_put_beside_other_bytes_fails(line: Line) -> None:
    """The release is made anew around another model, the figures of the good one kept."""
    judge(line)
    release = msgspec.json.decode((line.release / "release.json").read_bytes(), type=Release)
    bad = b"another model"
    ref = FileRef(digest(bad), len(bad))
    (line.release / "blobs" / ref.sha256).write_bytes(bad)
    fp32, int8, openvino = release.variants
    old = int8.files["model.onnx"].sha256
    swapped = msgspec.structs.replace(int8, files={"model.onnx": ref})
    (line.release / "blobs" / old).unlink()
    resign(line.release, variants=(fp32, swapped, openvino))
    assert "was measured" in failures(gate(line.release, example_policy("cctv")))["bound_to_bytes"]


def test_bytes_are_counted_not_believed(line: Line) -> None:
    judge(line)
    release = msgspec.json.decode((line.release / "release.json").read_bytes(), type=Release)
    blob = line.release / "blobs" / release.evidence.sha256
    book = msgspec.json.decode(blob.read_bytes(), type=EvidenceBook)
    items = tuple(
        msgspec.structs.replace(item, value=1.0) if item.metric == "bytes" else item
        for item in book.items
    )
    data = encode(msgspec.structs.replace(book, items=items))
    blob.unlink()
    (line.release / "blobs" / digest(data)).write_bytes(data)
    resign(line.release, evidence=FileRef(digest(data), len(data)))
    found = failures(gate(line.release, example_policy("cctv")))["bound_to_bytes"]
    assert "stated as 1 bytes" in found


def test_a_verdict_comes_back_as_it_was_written(line: Line) -> None:
    verdict = judge(line)
    write_verdict(verdict, line.verdict)
    assert read_verdict(line.verdict) == verdict


def test_a_release_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"release\.json"):
        gate(tmp_path, example_policy("cctv"))


@pytest.mark.parametrize("name", ["cctv", "digits", "promotion"])
def test_the_shipped_policies_are_valid(name: str) -> None:
    policy, _ = read_policy(example_policy(name))
    assert policy.rules


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("schema: policy/2\nrules: []", "policy/2"),
        ("schema: policy/1\nrules: []", "length"),
        ("schema: policy/1", "rules"),
        (POLICY.format(kind="at_least", metric="ap50", limit="limt: 1"), "limt|limit"),
        (POLICY.format(kind="at_least", metric="ap50", limit="limit: high"), "float"),
        (POLICY.format(kind="at_least", metric="ap50", limit="limit: 1\n    limit: 2"), "twice"),
        (POLICY.format(kind="sometimes", metric="ap50", limit="limit: 1"), "sometimes"),
        (
            POLICY.format(
                kind="at_least",
                metric="ap50",
                limit="limit: 1\n    precision: int8\n    variant: onnx-int8",
            ),
            "give one",
        ),
        (POLICY.format(kind="at_least", metric="ap50", limit="limt: 1"), "did you mean `limit`"),
        (POLICY.format(kind="at_lest", metric="ap50", limit="limit: 1"), "did you mean `at_least`"),
        ("schema: policy/1\nruls: []", "did you mean `rules`"),
        ("schema: policy/1\nrules:\n  - {name: b, type: budget, hardware: cpu}", "limits nothing"),
        ("schema: policy/1\nrules:\n  - {name: f, type: freshness}", "limits nothing"),
        (
            "schema: policy/1\nrules:\n  - {name: c, type: replay, command: [true]}",
            "Expected `str`, got `bool`",
        ),
        ("schema: policy/1\nrules: &a [*a]", "alias"),
        ("- [", "not a valid policy"),
        ("\x00", "not a valid policy"),
    ],
)
def test_a_policy_is_read_strictly(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_policy(path)
    assert "\n" not in str(caught.value)
