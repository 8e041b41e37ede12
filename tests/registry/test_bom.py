"""The bill of materials names what the release was made from, as CycloneDX says it."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.registry import Licence, ReleaseSettings, build_release
from edgefactory.registry.bom import PACKAGES, Licensed, licence_choice, licensed
from edgefactory.registry.bom.document import LicenceChoice, Named

from .conftest import TEACHER, Line

Document = dict[str, Any]


def bom(line: Line, settings: ReleaseSettings | None = None) -> tuple[Document, str]:
    built = build_release(settings or ReleaseSettings(), *line.inputs, line.release)
    ref = built.release.files()[built.release.bom.sha256]  # type: ignore[union-attr]  # it is built
    text = (line.release / "blobs" / ref.sha256).read_text()
    return json.loads(text), text


def parts(document: Document) -> dict[str, Document]:
    return {component["bom-ref"]: component for component in document["components"]}


def digest_of(part: Document) -> str:
    return str(part["hashes"][0]["content"])


def test_the_official_schema_accepts_it(line: Line) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib")
    schema = pytest.importorskip("cyclonedx.schema")
    strict = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    document, text = bom(line)
    assert strict.validate_str(text) is None
    document["components"][0]["colour"] = "red"
    assert strict.validate_str(json.dumps(document)) is not None


def test_data_weights_and_variants_stand_there_by_digest(line: Line) -> None:
    document, _ = bom(line)
    found = parts(document)
    variants = {ref for ref in found if ref.startswith("variant/")}
    assert variants == {"variant/onnx-fp32", "variant/onnx-int8", "variant/openvino-int8"}
    files = found["variant/openvino-int8"]["components"]
    assert [file["name"] for file in files] == ["model.bin", "model.xml"]
    assert found["snapshot"]["type"] == "data"
    assert digest_of(found["teacher"]) == TEACHER
    assert found["teacher"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert found["source/0"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_the_card_says_of_licences_what_the_bill_of_materials_says(line: Line) -> None:
    """Of data and weights as the settings state them, and of the packages as well."""
    settings = ReleaseSettings(
        licences=(
            Licence("footage", "apache-2.0", "branch 17"),
            Licence("a net", "MIT OR Apache-2.0", "a package", "weights"),
            Licence("another", "House rules", "us", "weights"),
        )
    )
    built = build_release(settings, *line.inputs, line.release)
    blobs = line.release / "blobs"
    found = licensed((blobs / built.release.bom.sha256).read_bytes())  # type: ignore[union-attr]  # it is built
    assert found[:4] == (
        Licensed("footage", "data", "Apache-2.0", "branch 17"),
        Licensed("a net", "weights", "MIT OR Apache-2.0", "a package"),
        Licensed("another", "weights", "House rules", "us"),
        Licensed("teacher", "weights", "", ""),
    )
    assert {one.kind for one in found[4:]} == {"package"}
    card = (blobs / built.release.card.sha256).read_text()
    for one in found:
        assert f"| {one.what} | {one.kind} | {one.licence or 'not stated'} | {one.source} |" in card


def test_figures_stand_at_the_variant_that_they_are_of(line: Line) -> None:
    document, _ = bom(line)
    card = parts(document)["variant/onnx-int8"]["modelCard"]
    accuracy = card["quantitativeAnalysis"]["performanceMetrics"][0]
    assert accuracy == {
        "type": "ap50",
        "value": "0.84",
        "confidenceInterval": {"lowerBound": "0.82", "upperBound": "0.86"},
    }


def test_what_ran_stands_there_by_version(line: Line) -> None:
    found = parts(bom(line)[0])
    assert found["package/torch"]["purl"] == "pkg:pypi/torch@2"
    assert found["package/onnxruntime"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert "package/edgefactory-runtime" in found


def test_everything_is_reached_from_the_release(line: Line) -> None:
    document, _ = bom(line)
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    reached, ahead = set(), ["release"]
    while ahead:
        ref = ahead.pop()
        if ref not in reached:
            reached.add(ref)
            ahead += needs.get(ref, [])
    assert reached == {"release", *parts(document)}


def test_of_several_weights_nobody_guesses_which_is_the_teacher(line: Line) -> None:
    several = tuple(Licence(name, "MIT", "a hub", "weights") for name in ("one", "another"))
    found = parts(bom(line, ReleaseSettings(licences=several))[0])
    assert digest_of(found["teacher"]) == TEACHER
    assert "licenses" not in found["teacher"]
    assert "hashes" not in found["source/0"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apache-2.0", LicenceChoice(Named(id="Apache-2.0"))),
        ("MIT AND BSD-3-Clause", LicenceChoice(expression="MIT AND BSD-3-Clause")),
        ("not stated", LicenceChoice(Named(name="not stated"))),
        ("LicenseRef-ours", LicenceChoice(expression="LicenseRef-ours")),
    ],
)
def test_a_licence_is_said_as_spdx_says_it_or_as_it_stands(text: str, said: LicenceChoice) -> None:
    assert licence_choice(text) == said


@given(st.text(max_size=60))
def test_no_text_is_refused_as_a_licence(text: str) -> None:
    licence_choice(text)


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_the_known_licences_are_those_that_packages_state(name: str) -> None:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    told = [
        line
        for field in ("License-Expression", "License", "Classifier")
        for line in about.get_all(field) or []
        if field != "Classifier" or line.startswith("License")
    ]
    word = PACKAGES[name].partition("-")[0].replace("NVIDIA TensorRT", "Proprietary")
    assert any(word.lower() in text.lower() for text in told)
