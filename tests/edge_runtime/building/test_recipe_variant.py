"""A variant that the box builds itself: refused where it cannot, attested where it is."""

from pathlib import Path

import msgspec
import pytest

from edge_runtime import proof
from edge_runtime.building import Device, kept_engine
from edge_runtime.contract import (
    RECIPE_FILE,
    FileRef,
    Release,
    TensorrtAttestation,
    TensorrtBuild,
    Variant,
    encode,
    read,
)
from edge_runtime.contract import digest as sha256
from edge_runtime.engines import cuda
from edge_runtime.store import Contents

from ..models import build, squares_onnx
from .recipes import here, quantized, recipe

NAME = "tensorrt-jetson-int8"


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    found = Contents(tmp_path / "blobs", tmp_path / "partial")
    found.prepare()
    return found


def released(contents: Contents, source: bytes, how: TensorrtBuild) -> Release:
    """A release of a detector for processors, and of `source` with the recipe `how`."""
    made = build(1)
    for blob in made.blobs.values():
        contents.put(blob)
    files = {"model.onnx": contents.put(source), RECIPE_FILE: contents.put(encode(how))}
    variant = Variant(NAME, how.flavour, "int8", ("sm86",), "model.onnx", files)
    return msgspec.structs.replace(made.release, variants=(*made.release.variants, variant))


def test_a_recipe_that_cannot_be_followed_leaves_the_other_variants(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "capability", lambda: "sm86")
    source = squares_onnx()
    how = recipe(source, flavour="tensorrt", minimum_version="99.0.0")
    release = released(contents, source, how)
    proven, refused = proof.prove(
        release, [proof.Candidate(v) for v in release.variants], contents, 1
    )
    assert [found.candidate.name for found in proven] == ["onnx-fp32"]
    assert refused[NAME].startswith(f"{NAME} cannot be built here: tensorrt")


def test_without_a_card_a_recipe_is_refused(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "capability", lambda: None)
    source = squares_onnx()
    release = released(contents, source, recipe(source))
    _, refused = proof.prove(release, [proof.Candidate(v) for v in release.variants], contents, 1)
    assert "NVIDIA" in refused[NAME]


@here
@pytest.mark.component
def test_what_the_self_test_says_is_attested(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "capability", lambda: "sm86")
    source = quantized()
    release = released(contents, source, recipe(source))
    variant = release.variant(NAME)
    files = {name: contents.read(ref) for name, ref in variant.files.items()}
    kept_engine(files, contents.built, Device("sm86", elsewhere=True))
    proof.attest(release, variant, contents, "golden case 2: one box less")
    attested = read(next(contents.built.glob("*.json")), TensorrtAttestation)
    assert attested.golden is not None
    assert (attested.golden.cases, attested.golden.passed) == (3, False)
    assert attested.golden.difference == "golden case 2: one box less"
    assert attested.recipe_sha256 == variant.files[RECIPE_FILE].sha256


def test_the_recipe_is_one_of_the_variants_files(contents: Contents) -> None:
    source = squares_onnx()
    release = released(contents, source, recipe(source))
    assert FileRef(sha256(source), len(source)) in release.files().values()
    assert release.variant(NAME).files[RECIPE_FILE].sha256 in release.files()
