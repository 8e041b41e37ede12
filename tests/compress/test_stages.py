"""The two stages on a small real checkpoint: what they write, and what they refuse."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import (
    Decisions,
    EvidenceBook,
    Golden,
    OperatingPoint,
    Reference,
    decode,
    disagreement,
    file_digest,
    read,
)
from edgefactory.compress import CompressSettings, ProveSettings, compress, load_variants, prove
from edgefactory.compress.saturation import SATURATION, Saturation
from edgefactory.compress.stated import specification_in
from edgefactory.compress.subjects import teacher_file
from edgefactory.compress.tensorrt import unavailable
from edgefactory.datasets import (
    TeacherSettings,
    read_header,
    read_manifest,
    read_snapshot,
    snapshot_digest,
    stream_items,
    write_manifest,
)
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.datasets.outcomes import figure, read_outcomes
from edgefactory.training import macs
from edgefactory.training.specification import Specification

pytestmark = pytest.mark.component

QUICK = ProveSettings(rounds=2, latency_pictures=2, repeats=2, bootstrap=50, golden_cases=2)
CPU_VARIANTS = {"onnx-fp32", "onnx-int8", "qdq-int8", "openvino-f32", "openvino-int8"}


def _quiet(done: int, total: int, what: str) -> None:
    assert 0 <= done <= total
    assert "\n" not in what


def _checkpoint(snapshot: Path, folder: Path) -> Path:
    """An untrained checkpoint that fits a snapshot."""
    import torch

    from edgefactory.training import Recipe
    from edgefactory.training.checkpoint import Metrics, TrainingLineage, write_checkpoint
    from edgefactory.training.networks import build

    data = read_snapshot(snapshot)
    recipe = Recipe(task=data.task, resolution=(48, 32), width=16, depth=1, detections=8)
    lineage = TrainingLineage(
        schema="lineage/1",
        git_commit=None,
        snapshot_sha256=snapshot_digest(snapshot),
        teacher_sha256=None,
        classes=data.classes,
        seed=0,
        recipe=recipe,
        parameters=1,
        versions={},
    )
    torch.manual_seed(0)
    weights = build(recipe, len(data.classes)).state_dict()
    folder.mkdir()
    write_checkpoint(folder, weights, Metrics("metrics/1", "ap50", (), None, 0.0), lineage)
    return folder


@pytest.fixture(scope="module")
def checkpoint(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a detector."""
    return _checkpoint(snapshot, tmp_path_factory.mktemp("c") / "checkpoint")


@pytest.fixture(scope="module")
def variants(checkpoint: Path, snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The variants of a detector without TensorRT, not to be changed."""
    out = tmp_path_factory.mktemp("v") / "variants"
    settings = CompressSettings(targets=("onnx", "openvino"), calibration=4)
    compress(settings, checkpoint, snapshot, out, _quiet)
    return out


@pytest.fixture(scope="module")
def evidence(variants: Path, snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence about them."""
    out = tmp_path_factory.mktemp("e") / "evidence"
    book = prove(QUICK, variants, snapshot, None, out, _quiet)
    assert read(out / "evidence.json", EvidenceBook) == book
    return out


def test_compress_writes_each_variant_with_the_digests_of_its_files(
    variants: Path, snapshot: Path
) -> None:
    made = load_variants(variants)
    assert {v.name for v in made.variants} >= CPU_VARIANTS
    assert made.snapshot_sha256 == file_digest(snapshot / "manifest.jsonl")
    for variant in made.variants:
        assert variant.main in variant.files
        for name, ref in variant.files.items():
            assert file_digest(variants / variant.name / name) == ref.sha256


def test_each_int8_variant_for_processors_says_that_no_sum_can_overflow(variants: Path) -> None:
    for variant in load_variants(variants).variants:
        if variant.precision == "int8":
            beside = variants / variant.name / SATURATION
            sums = decode(beside.read_bytes(), Saturation, str(beside))
            assert sums.file_sha256 == variant.files[variant.main].sha256
            assert sums.layers
            assert not any(layer.overflows() for layer in sums.layers)


def test_every_variant_says_what_it_is(variants: Path) -> None:
    made = load_variants(variants)
    for variant in made.variants:
        files = {name: (variants / variant.name / name).read_bytes() for name in variant.files}
        says = specification_in(files, variant.main)
        assert says == Specification(made.task, made.labels, made.input), variant.name


def test_prove_binds_each_figure_to_the_bytes_that_ran(variants: Path, evidence: Path) -> None:
    book = read(evidence / "evidence.json", EvidenceBook)
    made = load_variants(variants)
    for item in book.items:
        variant = next(v for v in made.variants if v.name == item.subject)
        assert item.file_sha256 == variant.files[variant.main].sha256
        assert set(item.files_sha256) == {ref.sha256 for ref in variant.files.values()}
        assert (item.engine, item.precision) == (variant.engine, variant.precision)
        assert item.snapshot_sha256 == made.snapshot_sha256
    found = {(item.subject, item.metric) for item in book.items}
    for name in CPU_VARIANTS:
        for metric in ("ap50", "latency_ms", "latency_p99_ms", "frame_ms", "macs", "bytes"):
            assert (name, metric) in found
    assert ("onnx-int8", "ap50_minus_fp32") in found


def test_prove_tells_how_far_a_variant_agrees_with_fp32_and_what_it_holds(evidence: Path) -> None:
    book = read(evidence / "evidence.json", EvidenceBook)
    found = {(item.subject, item.metric): item for item in book.items if item.slice == "all"}
    same = found["openvino-f32", "agreement"]
    assert same.value == 1.0
    assert same.interval is not None
    assert same.interval[0] < same.interval[1] == 1.0
    assert same.against_sha256 == found["onnx-fp32", "ap50"].file_sha256
    assert ("onnx-fp32", "agreement") not in found
    assert found["openvino-int8", "memory_bytes"].value > 1e7


def test_what_prove_keeps_of_each_picture_gives_the_figures_again(evidence: Path) -> None:
    book = read(evidence / "evidence.json", EvidenceBook)
    known = read(evidence / "reference.json", Reference)
    assert known.said.keys() >= CPU_VARIANTS
    assert sum(known.saw.sharpness.counts) == sum(known.said["onnx-fp32"].leading.counts)
    outcomes = read_outcomes(evidence / "outcomes.json")
    assert {one.subject for one in outcomes.subjects} >= CPU_VARIANTS
    for one in outcomes.subjects:
        stated = next(i for i in book.items if (i.metric, i.subject) == ("ap50", one.subject))
        assert stated.slice == "all"
        assert figure(outcomes, one) == pytest.approx(stated.value, abs=1e-12)
        assert set(one.files_sha256) == set(stated.files_sha256)


def test_prove_leaves_golden_cases_that_agree_with_themselves(evidence: Path) -> None:
    point = read(evidence / "operating_point.json", OperatingPoint)
    golden = read(evidence / "golden" / "golden.json", Golden)
    assert len(golden.cases) == 2
    for case in golden.cases:
        picture = evidence / "golden" / f"{case.picture.sha256}.png"
        assert file_digest(picture) == case.picture.sha256
        assert set(case.expected) >= CPU_VARIANTS
        a, b = case.expected["onnx-fp32"], case.expected["openvino-f32"]
        assert disagreement(a, b, point.score_threshold, golden.tolerance) is None


def test_predictions_hold_truth_and_every_variant(snapshot: Path, evidence: Path) -> None:
    found = json.loads((evidence / "predictions.json").read_text())
    assert found["truth"] == "human"
    assert len(found["frames"]) == 4
    frame = found["frames"]["8"]
    assert frame["truth"] == [[18.0, 8.0, 48.0, 50.0, 0.0]]
    assert (snapshot.parent / frame["picture"]).is_file()
    assert set(frame) >= CPU_VARIANTS


def test_multiply_accumulates_are_those_of_the_fp32_graph(variants: Path, evidence: Path) -> None:
    book = read(evidence / "evidence.json", EvidenceBook)
    counts = {item.value for item in book.items if item.metric == "macs"}
    assert counts == {macs(variants / "onnx-fp32" / "model.onnx")}


def test_a_classifier_goes_through_the_same_stages(digits: Path, tmp_path: Path) -> None:
    trained = _checkpoint(digits, tmp_path / "checkpoint")
    made = compress(CompressSettings(calibration=4), trained, digits, tmp_path / "v", _quiet)
    names = {variant.name for variant in made.variants}
    assert names >= CPU_VARIANTS
    assert ("tensorrt-rtx-int8" in names) == (unavailable() is None)
    book = prove(QUICK, tmp_path / "v", digits, None, tmp_path / "e", _quiet)
    metrics = {item.metric for item in book.items}
    assert metrics >= {"accuracy", "accuracy_minus_fp32", "latency_ms", "macs", "bytes"}
    outcomes = read_outcomes(tmp_path / "e" / "outcomes.json")
    judged = [item for item in book.items if item.metric == "accuracy"]
    stated = {item.subject: item.value for item in judged if item.slice == "all"}
    assert {one.subject: figure(outcomes, one) for one in outcomes.subjects} == stated
    golden = read(tmp_path / "e" / "golden" / "golden.json", Golden)
    assert all(isinstance(d, Decisions) for d in golden.cases[0].expected.values())
    if "tensorrt-rtx-int8" in names:
        share = next(item for item in book.items if item.metric == "int8_conv_share")
        assert share.value >= 0.95


def test_the_stages_refuse_another_snapshot(
    checkpoint: Path, variants: Path, snapshot: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(snapshot, other)
    header = msgspec.structs.replace(read_header(other), name="renamed")
    write_manifest(other, header, [*stream_items(other)])
    with pytest.raises(InputError, match=r"other is snapshot .*, the checkpoint was trained on"):
        compress(CompressSettings(), checkpoint, other, tmp_path / "v", _quiet)
    with pytest.raises(InputError, match=r"other is snapshot .*, the variants were made from"):
        prove(QUICK, variants, other, None, tmp_path / "e", _quiet)
    assert not (tmp_path / "v").exists()
    assert not (tmp_path / "e").exists()


def test_prove_refuses_a_variant_whose_file_was_changed(
    variants: Path, snapshot: Path, tmp_path: Path
) -> None:
    shutil.copytree(variants, tmp_path / "v")
    fp32 = (variants / "onnx-fp32" / "model.onnx").read_bytes()
    (tmp_path / "v" / "onnx-int8" / "model.onnx").write_bytes(fp32)
    with pytest.raises(TrustError, match=r"onnx-int8/model\.onnx has the SHA-256"):
        prove(QUICK, tmp_path / "v", snapshot, None, tmp_path / "e", _quiet)


def test_prove_refuses_a_teacher_that_is_not_there(
    variants: Path, snapshot: Path, tmp_path: Path
) -> None:
    with pytest.raises(MissingError, match=r"teacher .* is not there"):
        prove(QUICK, variants, snapshot, tmp_path / "teacher.onnx", tmp_path / "e", _quiet)


@pytest.mark.parametrize(("whole", "passes"), [(True, 2), (False, 1)])
def test_the_teacher_looks_as_the_settings_say(
    detector: bytes, snapshot: Path, tmp_path: Path, whole: bool, passes: int
) -> None:
    (tmp_path / "teacher.onnx").write_bytes(detector)
    looks = TeacherSettings(tile=1.0, whole=whole)
    with teacher_file(tmp_path / "teacher.onnx", read_snapshot(snapshot), looks) as master:
        tiled = master.tiled(master.subject("onnxruntime", "f32", 1))
        assert tiled.settings == replace(looks, engine="onnxruntime")
        assert tiled.passes_per_frame(400, 400) == passes


def test_the_teacher_must_be_the_one_that_labelled(snapshot: Path, tmp_path: Path) -> None:
    manifest = snapshot / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace("human:tester", "teacher:" + "0" * 64))
    (tmp_path / "teacher.onnx").write_bytes(b"another")
    data = read_manifest(snapshot)
    with (
        pytest.raises(InputError, match="the snapshot was labelled by 000000000000"),
        teacher_file(tmp_path / "teacher.onnx", data, TeacherSettings()),
    ):
        pass


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `calibrate`"):
        msgspec.convert({"calibrate": 3}, CompressSettings)


def test_a_snapshot_without_a_test_split_cannot_be_proven(
    variants: Path, snapshot: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(snapshot, tmp_path / "other")
    learned = [item for item in stream_items(other) if item.split != "test"]
    write_manifest(other, read_header(other), learned)
    with pytest.raises(InputError, match="the split test is empty"):
        prove(QUICK, variants, other, None, tmp_path / "e", _quiet)
