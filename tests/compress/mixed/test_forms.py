"""Both forms: calibrated once, and what is left in float is float."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_runtime.openvino_core import openvino_core
from edgefactory.compress import engines
from edgefactory.compress.mixed import IrForm, PortableForm
from edgefactory.compress.openvino_ir import to_int8_ir, to_ir
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]

LAYERS = ("stem", "near", "far", "back", "heat", "reach")

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def ir(detector: bytes, pictures: list[UInt8]) -> IrForm:
    return IrForm(detector, pictures)


def _scores(files: Mapping[str, bytes], batch: UInt8) -> npt.NDArray[np.float32]:
    found = engines.load("openvino", files, "model.xml", "int8", 1).run(batch)
    return np.asarray(found["scores"], np.float32)


def _fakes(files: Mapping[str, bytes]) -> set[str]:
    model: Any = openvino_core().read_model(files["model.xml"], files["model.bin"])
    ops = model.get_ordered_ops()
    return {op.get_friendly_name() for op in ops if op.get_type_name() == "FakeQuantize"}


@pytest.mark.parametrize("layers", [(), ("heat",), ("near", "back"), LAYERS[:-1]])
def test_the_portable_form_is_what_it_is_when_calibrated_anew(
    detector: bytes, pictures: list[UInt8], layers: tuple[str, ...]
) -> None:
    form = PortableForm(detector, pictures)
    form.make(("stem",))
    assert form.make(layers) == quantize_portable(detector, pictures, layers)


def test_all_in_int8_is_what_nncf_makes(ir: IrForm, detector: bytes, pictures: list[UInt8]) -> None:
    assert ir.make(()) == to_int8_ir(detector, pictures)


def test_all_in_float_is_the_float_model(ir: IrForm, detector: bytes, batch: UInt8) -> None:
    made = ir.make(LAYERS)
    assert not _fakes(made)
    assert np.array_equal(_scores(made, batch), _scores(to_ir(detector), batch))


@pytest.mark.parametrize("layers", [("stem",), ("near",), ("back", "reach")])
def test_a_stripped_layer_is_as_one_that_nncf_leaves_alone(
    ir: IrForm, detector: bytes, pictures: list[UInt8], batch: UInt8, layers: tuple[str, ...]
) -> None:
    made, asked = ir.make(layers), to_int8_ir(detector, pictures, layers)
    floating = _scores(to_ir(detector), batch)
    # The biases of the others were corrected in company, so the two are alike, not equal.
    apart = np.abs(_scores(made, batch) - _scores(asked, batch)).mean()
    assert apart < np.abs(_scores(ir.make(()), batch) - floating).mean()
    assert len(_fakes(made)) <= len(_fakes(asked))


def test_the_same_mixture_has_the_same_bytes(ir: IrForm) -> None:
    assert ir.make(("near", "heat")) == ir.make(("near", "heat"))


def test_an_unknown_layer_is_named(ir: IrForm) -> None:
    with pytest.raises(InputError, match="has no layer 'hat'"):
        ir.make(("hat",))
