"""A release holds exactly what was proven, and is the same whenever it is built."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import (
    RECIPE_FILE,
    Decisions,
    Evidence,
    EvidenceBook,
    Golden,
    Reference,
    Release,
    Variant,
    VariantSet,
    encode,
)
from edge_runtime.contract.referring import reference_of
from edge_runtime.contract.sketching import decisions_of, inputs_of
from edgefactory.datasets.errors import InputError, TrustError
from edgefactory.registry import ReleaseSettings, build_release
from edgefactory.registry.binding import counts_for

from .conftest import Line, make_line, write


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_inputs_give_the_same_bytes(line: Line, tmp_path: Path) -> None:
    first = build_release(ReleaseSettings(), *line.inputs, tmp_path / "a")
    elsewhere = make_line(tmp_path / "elsewhere")
    second = build_release(ReleaseSettings(), *elsewhere.inputs, tmp_path / "b")
    assert first.digest == second.digest
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_every_blob_is_named_by_its_content(line: Line) -> None:
    line.build()
    release = msgspec.json.decode((line.release / "release.json").read_bytes(), type=Release)
    blobs = line.release / "blobs"
    assert {p.name for p in blobs.iterdir()} == set(release.files())
    assert release.lineage.recipe["augment.flip"] == 0.5


def test_a_variant_that_was_not_executed_is_named_and_not_offered(line: Line) -> None:
    built = build_release(ReleaseSettings(), *line.inputs, line.release)
    assert [variant.name for variant in built.release.variants] == [
        "onnx-fp32",
        "onnx-int8",
        "openvino-int8",
    ]
    assert [skipped.name for skipped in built.left_out] == ["tensorrt-rtx-int8"]
    card = (line.release / "blobs" / built.release.card.sha256).read_text()
    assert "`tensorrt-rtx-int8`: not executed here" in card


def with_recipe(line: Line, content: bytes) -> Variant:
    """Add a variant that its device builds, whose portable model is `content`."""
    name = "tensorrt-jetson-int8"
    files = {"model.onnx": content, RECIPE_FILE: b"{}"}
    refs = {file: write(line.variants / name / file, data) for file, data in files.items()}
    variant = Variant(name, "tensorrt", "int8", ("sm87",), "model.onnx", refs)
    path = line.variants / "variants.json"
    made = msgspec.json.decode(path.read_bytes(), type=VariantSet)
    variants = (*made.variants, variant)
    write(path, encode(msgspec.structs.replace(made, variants=variants)))
    path = line.evidence / "golden" / "golden.json"
    golden = msgspec.json.decode(path.read_bytes(), type=Golden)
    cases = tuple(
        msgspec.structs.replace(c, expected={**c.expected, name: c.expected["onnx-int8"]})
        for c in golden.cases
    )
    write(path, encode(msgspec.structs.replace(golden, cases=cases)))
    return variant


def test_what_a_device_builds_is_offered_by_what_its_model_decided_here(line: Line) -> None:
    measured = (line.variants / "onnx-int8" / "model.onnx").read_bytes()
    variant = with_recipe(line, measured)
    built = build_release(ReleaseSettings(), *line.inputs, line.release)
    assert built.release.variant(variant.name) == variant
    assert variant.files[RECIPE_FILE].sha256 in built.release.files()


def test_what_a_device_builds_from_a_model_that_never_ran_is_not_offered(line: Line) -> None:
    variant = with_recipe(line, b"another model")
    built = build_release(ReleaseSettings(), *line.inputs, line.release)
    assert variant.name in {skipped.name for skipped in built.left_out}


def test_how_fast_a_model_was_elsewhere_does_not_count_for_what_a_device_builds(
    line: Line,
) -> None:
    variant = with_recipe(line, (line.variants / "onnx-int8" / "model.onnx").read_bytes())
    counted = {item.metric for item in line.book().items if counts_for(item, variant)}
    assert "ap50" in counted
    assert counted <= {"ap50", "ap50_minus_fp32", "ap50_minus_teacher"}


def test_what_the_offered_variants_saw_and_said_goes_with_them(line: Line) -> None:
    """A site that runs one of them compares itself with it; a line of before has none."""
    before = build_release(ReleaseSettings(), *line.inputs, line.release).release
    assert before.reference is msgspec.UNSET
    saw = [inputs_of(np.full((8, 8, 3), level, np.uint8)) for level in range(9)]
    said = [decisions_of(Decisions((0,), (0.9,)), 0.4)] * 9
    known = reference_of(saw, {"onnx-int8": said, "tensorrt-rtx-int8": said}, 1)
    write(line.evidence / "reference.json", encode(known))
    release = build_release(ReleaseSettings(), *line.inputs, line.release).release
    assert isinstance(release.reference, Reference)
    assert release.reference.saw == known.saw
    assert set(release.reference.said) == {"onnx-int8"}


def test_the_card_says_how_the_pictures_were_labelled(line: Line) -> None:
    built = build_release(ReleaseSettings(), *line.inputs, line.release)
    card = (line.release / "blobs" / built.release.card.sha256).read_text()
    for text in ("## Intended use", "human:a person", "queued", "0.84 [0.82, 0.86]", "MIT"):
        assert text in card


def test_accuracy_on_another_engine_does_not_make_an_offer(line: Line) -> None:
    def elsewhere(item: Evidence) -> Evidence:
        if item.subject != "openvino-int8":
            return item
        return msgspec.structs.replace(item, engine="onnxruntime")

    line.change(elsewhere)
    built = build_release(ReleaseSettings(), *line.inputs, line.release)
    assert "openvino-int8" in {skipped.name for skipped in built.left_out}
    evidence = msgspec.json.decode(
        (line.release / "blobs" / built.release.evidence.sha256).read_bytes(), type=EvidenceBook
    )
    assert all(item.subject != "openvino-int8" for item in evidence.items)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file_sha256": "0" * 64}, "was measured, the variant's is"),
        ({"files_sha256": ("0" * 64,)}, "not all the files"),
        ({"snapshot_sha256": "0" * 64}, "measured on snapshot"),
        ({"subject": "somebody"}, "there is no such variant"),
        ({"against_sha256": "0" * 64}, "which is not of this release"),
    ],
)
def test_a_figure_of_other_bytes_is_refused(
    line: Line, change: dict[str, object], reason: str
) -> None:
    def forge(item: Evidence) -> Evidence:
        if item.subject != "openvino-int8" or item.metric != "ap50":
            return item
        return msgspec.convert(msgspec.to_builtins(item) | change, Evidence)

    line.change(forge)
    with pytest.raises(InputError, match=reason):
        line.build()


def test_the_weights_of_an_openvino_variant_are_bound_too(line: Line) -> None:
    """The .xml alone says nothing: the figures must name the .bin that was executed with it."""
    line.change(lambda item: msgspec.structs.replace(item, files_sha256=()))
    with pytest.raises(InputError, match="not all the files"):
        line.build()


def test_a_comparison_must_say_with_what(line: Line) -> None:
    line.change(lambda item: msgspec.structs.replace(item, against_sha256=None))
    with pytest.raises(InputError, match="names no file that it compares with"):
        line.build()


def test_a_file_that_changed_since_compression_is_refused(line: Line) -> None:
    (line.variants / "onnx-int8" / "model.onnx").write_bytes(b"weightz i8")
    with pytest.raises(TrustError, match="expected"):
        line.build()
    assert not line.release.exists()


def test_another_snapshot_or_checkpoint_is_refused(line: Line) -> None:
    (line.folder / "checkpoint" / "model.safetensors").write_bytes(b"retrained")
    with pytest.raises(InputError, match=r"variants\.json is about checkpoint"):
        line.build()


def test_a_file_name_that_leads_out_is_refused(line: Line) -> None:
    path = line.variants / "variants.json"
    made = msgspec.json.decode(path.read_bytes(), type=VariantSet)
    variant = made.variants[0]
    evil = msgspec.structs.replace(
        variant, main="../x", files={"../x": variant.files[variant.main]}
    )
    path.write_bytes(encode(msgspec.structs.replace(made, variants=(evil, *made.variants[1:]))))
    with pytest.raises(InputError, match="not plain file names"):
        line.build()


def test_settings_that_break_the_contract_are_refused(line: Line) -> None:
    with pytest.raises(InputError, match="version"):
        build_release(ReleaseSettings(version="1"), *line.inputs, line.release)


def test_a_folder_of_somebody_else_is_not_replaced(line: Line) -> None:
    line.release.mkdir()
    (line.release / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not replaced"):
        line.build()
