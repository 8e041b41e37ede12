"""Engines from recipes: the code that a Jetson runs, run here for a card that is elsewhere."""

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest
from onnx import helper

from edge_runtime.building import (
    Device,
    build,
    int8_share,
    kept_engine,
    note_golden,
    shortfall,
    version,
)
from edge_runtime.building.engine import in_inspection
from edge_runtime.contract import (
    RECIPE_FILE,
    GoldenResult,
    TensorrtAttestation,
    digest,
    encode,
    read,
)
from edge_runtime.errors import ContractError, InputError, MissingError, RefusedError

from .recipes import AMPERE, files, here, quantized, recipe


def test_the_share_counts_convolutions_that_the_builder_does_not_name() -> None:
    assert int8_share({"a": "Int8", "b": "Float"}) == 0.5
    assert int8_share({"a": "Int8"}, expected=4) == 0.25
    assert int8_share({}) == 0.0
    wanted = recipe(b"", convolutions=2)
    assert shortfall(wanted, {"a": "Int8", "b": "Int8"}) is None
    problem = "it computes 1 of 2 convolutions in INT8; the first other one is 'b'"
    assert shortfall(wanted, {"a": "Int8", "b": "Half"}) == problem
    assert shortfall(wanted, {}) == "it computes 0 of 2 convolutions in INT8"


def test_what_ordinary_tensorrt_says_of_an_engine_is_understood() -> None:
    row = "Thirty-two wide channel vectorized row major Int8 format"
    layers = [
        {"Name": "a || d", "LayerType": "CaskConvolution", "Inputs": [{"Format/Datatype": row}]},
        {"Name": "b", "LayerType": "Cask", "ParameterType": "Convolution",
         "Inputs": [{"Format/Datatype": "Row major linear FP16 format"}]},
        {"Name": "c", "LayerType": "PointWise", "Inputs": [{"Format/Datatype": row}]},
    ]  # fmt: skip
    found = in_inspection(json.dumps({"Layers": layers}))
    assert found == {"a": "Int8", "d": "Int8", "b": "Row major linear FP16 format"}
    assert in_inspection("no JSON") == {}
    assert in_inspection(json.dumps({"Layers": ["a name only"]})) == {}


@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None, reason="ordinary TensorRT is installed"
)
def test_without_the_flavour_it_is_said_how_to_come_by_it(tmp_path: Path) -> None:
    source = quantized()
    with pytest.raises(MissingError, match="tensorrt is not installed: it comes with JetPack"):
        kept_engine(files(source, flavour="tensorrt"), tmp_path, Device("sm87"))


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    wrong = encode(recipe(b"")).replace(b"{", b'{"surprise": 1,', 1)
    with pytest.raises(ContractError, match="surprise"):
        kept_engine({RECIPE_FILE: wrong, "model.onnx": b""}, tmp_path, AMPERE)


@here
@pytest.mark.component
def test_an_engine_is_built_once_and_attested(tmp_path: Path) -> None:
    whole = files(quantized())
    engine = kept_engine(whole, tmp_path, AMPERE)
    assert kept_engine(whole, tmp_path, AMPERE) == engine  # a rebuild would give other bytes
    attested = read(next(tmp_path.glob("*.json")), TensorrtAttestation)
    assert attested.engine_sha256 == digest(engine)
    assert attested.recipe_sha256 == digest(whole[RECIPE_FILE])
    assert attested.source_sha256 == digest(whole["model.onnx"])
    assert (attested.device, attested.flavour) == ("sm86", "tensorrt-rtx")
    assert attested.version == version("tensorrt-rtx")
    assert (attested.convolutions, attested.int8_convolutions) == (1, 1)
    assert attested.golden is None
    noted = note_golden(whole, tmp_path, AMPERE, GoldenResult(8, False, "case 3 differs"))
    assert read(next(tmp_path.glob("*.json")), TensorrtAttestation) == noted
    assert noted == msgspec.structs.replace(attested, golden=noted.golden)

    next(tmp_path.glob("*.engine")).write_bytes(b"damaged")
    again = kept_engine(whole, tmp_path, AMPERE)
    assert len(again) > 1000
    assert read(next(tmp_path.glob("*.json")), TensorrtAttestation).golden is None


@here
@pytest.mark.component
@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"convolutions": 2}, RefusedError, "the engine for sm86 is not INT8: it computes 1 of 2"),
        ({"minimum_version": "99.0.0"}, MissingError, r"the recipe needs 99\.0\.0 or newer"),
        ({"source_sha256": "0" * 64}, InputError, "the recipe is for the ONNX model 000000000000"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_engine(
    tmp_path: Path, changes: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        kept_engine(files(quantized(), **changes), tmp_path, AMPERE)
    assert not [*tmp_path.glob("*.engine")]


@here
@pytest.mark.component
def test_a_build_that_fails_does_not_spoil_the_next_one() -> None:
    """TensorRT-RTX 1.7 would keep to the failed one's capability, and compute in float."""
    source = quantized(helper.make_node("MatMul", ["sums", "square"], ["scores"]))
    wanted = recipe(source)
    with pytest.raises(RefusedError, match="TensorRT gives no engine"):
        build(wanted, source, ("sm75",))
    assert int8_share(build(wanted, source, ("sm80",)).convolutions) == 1.0


@here
def test_an_operation_that_tensorrt_lacks_is_named_with_its_layer() -> None:
    source = quantized(helper.make_node("Det", ["sums"], ["scores"], name="odd.one"))
    with pytest.raises(InputError, match=r"TensorRT cannot take Det 'odd\.one'") as caught:
        build(recipe(source), source, ("sm86",))
    assert "\n" not in str(caught.value)
