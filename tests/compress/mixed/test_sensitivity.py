"""The ranking: noise of each layer alone, at the scales of the portable form."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto

from edgefactory.compress.graph import parse
from edgefactory.compress.mixed import ranked
from edgefactory.compress.mixed.switched import Switched, switched
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]

LAYERS = ("stem", "near", "far", "back", "heat", "reach")

pytestmark = pytest.mark.component


def _quiet(*_: object) -> None:
    """Progress that nobody sees."""


@pytest.fixture(scope="module")
def model(detector: bytes, pictures: list[UInt8]) -> Switched:
    return switched(detector, quantize_portable(detector, pictures))


def _noise(model: Switched, picture: UInt8, on: tuple[str, ...]) -> float:
    pairs = zip(model.run(picture, on), model.run(picture, ()), strict=True)
    return float(np.mean([np.square(a - b).sum() / np.square(b).sum() for a, b in pairs]))


def _best(model: Switched, picture: UInt8, on: tuple[str, ...]) -> float:
    """The highest score in the heat map."""
    names = [output.name for output in model.session.get_outputs()]
    heat = model.run(picture, on)[names.index("heat")]
    return float(1 / (1 + np.exp(-heat.max())))


def test_every_layer_has_a_switch_and_off_is_float(
    model: Switched, detector: bytes, pictures: list[UInt8]
) -> None:
    import onnxruntime as ort

    assert set(model.layers) == set(LAYERS)
    scores = ort.InferenceSession(detector).run(["scores"], {"image": pictures[0][None]})[0]
    assert _best(model, pictures[0], ()) == pytest.approx(float(scores[0, 0]), abs=1e-5)


def test_with_all_switches_on_it_says_what_the_portable_form_says(
    model: Switched, detector: bytes, pictures: list[UInt8]
) -> None:
    import onnxruntime as ort

    portable = ort.InferenceSession(quantize_portable(detector, pictures))
    for picture in pictures[:4]:
        scores = portable.run(["scores"], {"image": picture[None]})[0]
        assert _best(model, picture, LAYERS) == pytest.approx(float(scores.max()), abs=0.01)


def test_the_noises_of_layers_add_up_to_about_that_of_all(
    model: Switched, detector: bytes, pictures: list[UInt8]
) -> None:
    alone = sum(_noise(model, pictures[0], (layer,)) for layer in LAYERS)
    together = _noise(model, pictures[0], LAYERS)
    assert together / 3 < alone < together * 3


def test_a_layer_of_badly_scaled_channels_comes_first(
    detector: bytes, pictures: list[UInt8]
) -> None:
    graph = parse(detector, "it")
    factors = np.ones(16, np.float32)
    factors[3] = 256.0
    for tensor, shape in (("far.weight", (16, 1, 1, 1)), ("far.bias", (16,))):
        value = np.asarray(graph.constants[tensor], np.float32)
        graph.constants[tensor] = value * factors.reshape(shape)
    following = np.asarray(graph.constants["back.weight"], np.float32)
    graph.constants["back.weight"] = following / factors.reshape(1, 16, 1, 1)
    ranking = ranked(graph.to_bytes(), pictures, _quiet)
    assert ranking[0].layer == "back"  # it reads what has one scale for all channels
    assert [entry.noise for entry in ranking] == sorted((e.noise for e in ranking), reverse=True)
    assert {entry.layer for entry in ranking} == set(LAYERS)


def test_the_ranking_repeats(detector: bytes, pictures: list[UInt8]) -> None:
    assert ranked(detector, pictures, _quiet) == ranked(detector, pictures, _quiet)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda _: [], "no picture to calibrate on"),
        (lambda good: [*good, good[0][:-1]], r"calibration picture 16 is uint8 \[31, 48, 3\]"),
        (lambda good: [good[0].astype(np.float32)], r"calibration picture 0 is float32"),
    ],
)
def test_pictures_that_the_model_does_not_take_are_refused(
    detector: bytes,
    pictures: list[UInt8],
    spoil: Callable[[list[UInt8]], list[UInt8]],
    says: str,
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        ranked(detector, spoil(pictures), _quiet)
    assert "\n" not in str(caught.value)


def test_an_operation_that_the_engine_lacks_is_named_with_its_layer(
    detector: bytes, pictures: list[UInt8]
) -> None:
    graph = parse(detector, "it")
    scores = graph.producer("scores")
    assert scores is not None
    scores.output[0] = scores.name = "before"
    graph.add("Cast", ["before"], "double", to=TensorProto.DOUBLE)
    graph.add("Acosh", ["double"], "odd")
    graph.add("Cast", ["odd"], "scores", to=TensorProto.FLOAT)
    with pytest.raises(InputError, match=r"Acosh.*odd.*replace that operation") as caught:
        ranked(graph.to_bytes(), pictures, _quiet)
    assert "\n" not in str(caught.value)
