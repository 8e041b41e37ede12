"""Sequences as pictures: the spectrogram against SciPy's, features, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.contract import (
    Audio,
    Features,
    InputSpec,
    audio_picture,
    decode,
    encode,
    features_picture,
    preprocess,
    read,
)
from edge_runtime.contract.sequences import Float32
from edge_runtime.contract.signals import band_edges
from edge_runtime.errors import ContractError, InputError

FIXTURES = Path(__file__).parent / "fixtures"
SPEECH = Audio(16000, 400, 160, 40, 20.0, 8000.0, -80.0, 98)
MOTION = Features(10.0, (-1.0, 0.0, -20.0), (1.0, 255.0, 20.0), 8)


def noise(count: int, seed: int = 0) -> Float32:
    drawn = np.random.default_rng(seed).normal(0, 0.1, count)
    return np.clip(drawn, -1, 1).astype(np.float32)


def tone(hz: float, spec: Audio, amplitude: float = 1.0) -> Float32:
    seconds = np.arange(spec.samples) / spec.rate
    return (amplitude * np.sin(2 * np.pi * hz * seconds)).astype(np.float32)


@pytest.mark.parametrize(
    "spec",
    [
        SPEECH,
        Audio(8000, 256, 80, 24, 0.0, 4000.0, -100.0, 50),  # the window is the transform
        Audio(44100, 1103, 441, 64, 50.0, 20000.0, -60.0, 31),
        Audio(1000, 500, 250, 16, 1.0, 400.0, -90.0, 7),  # a machine that shakes
    ],
)
def test_the_spectrogram_is_scipys_to_one_grey_level(spec: Audio) -> None:
    samples = noise(spec.samples) + tone(spec.high / 3, spec, 0.3)
    size = 1 << math.ceil(math.log2(spec.window))
    hz, _, stft = scipy.signal.stft(
        samples.astype(np.float64),
        fs=1.0,
        window=scipy.signal.get_window("hann", spec.window, fftbins=True),
        nperseg=spec.window,
        noverlap=spec.window - spec.hop,
        nfft=size,
        boundary=None,
        padded=False,
        scaling="psd",
    )
    corners = band_edges(spec)
    bands = [
        np.interp(hz * spec.rate, corners[b : b + 3], [0.0, 1.0, 0.0]) for b in range(spec.bands)
    ]
    decibels = 10 * np.log10(np.stack(bands) @ (4 / size * np.abs(stft) ** 2))
    expected = np.rint(255 * np.clip(1 - decibels / spec.floor, 0, 1))[::-1]
    found = audio_picture(samples, spec)
    assert found.shape == (spec.bands, spec.steps, 3)
    assert (found == found[:, :, :1]).all()
    assert np.ptp(expected) > 50
    assert np.abs(found[:, :, 0] - expected).max() <= 1


def test_the_corners_are_even_steps_on_the_mel_scale() -> None:
    edges = band_edges(SPEECH)
    mel = 1127 * np.log(1 + np.asarray(edges) / 700)  # the natural logarithm's form of the scale
    assert len(edges) == SPEECH.bands + 2
    assert (edges[0], edges[-1]) == pytest.approx((20, 8000))
    assert np.allclose(np.diff(mel), np.diff(mel)[0], rtol=1e-3)


@pytest.mark.parametrize("band", [3, 20, 38])
def test_a_tone_lands_in_its_band_and_a_full_one_is_nearly_white(band: int) -> None:
    hz = band_edges(SPEECH)[band + 1]
    picture = audio_picture(tone(hz, SPEECH), SPEECH)
    column = picture[:, 50, 0]
    assert int(column.argmax()) == SPEECH.bands - 1 - band
    assert column.max() >= 235  # at most 6 dB of it in the neighbours


@pytest.mark.parametrize("amplitude", [1.0, 0.1])
def test_the_energies_of_a_tone_add_up_to_its_own(amplitude: float) -> None:
    picture = audio_picture(tone(1000, SPEECH, amplitude), SPEECH)
    decibels = SPEECH.floor * (1 - picture[:, 50, 0] / 255.0)
    total = 10 * np.log10((10 ** (decibels / 10)).sum())
    assert total == pytest.approx(20 * np.log10(amplitude), abs=0.3)


def test_silence_is_black_and_louder_is_never_darker() -> None:
    assert not audio_picture(np.zeros(SPEECH.samples, np.float32), SPEECH).any()
    quiet, loud = (audio_picture(factor * noise(SPEECH.samples), SPEECH) for factor in (0.1, 1))
    assert (loud >= quiet).all()
    assert loud.astype(int).mean() - quiet.astype(int).mean() == pytest.approx(255 / 4, abs=2)


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 40), steps=st.integers(1, 20))
def test_a_column_knows_its_own_samples_only(start: int, steps: int) -> None:
    """A stream may be cut anywhere: the picture is the same as a part of a longer one."""
    whole = noise(SPEECH.samples)
    part = msgspec.structs.replace(SPEECH, steps=steps)
    samples = whole[start * SPEECH.hop :][: part.samples]
    long = audio_picture(whole, SPEECH)
    assert np.array_equal(audio_picture(samples, part), long[:, start : start + steps])


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, SPEECH.samples))
def test_what_is_missing_is_silence(count: int) -> None:
    samples = noise(count, seed=count)
    padded = np.concatenate([samples, np.zeros(SPEECH.samples - count, np.float32)])
    picture = audio_picture(samples, SPEECH)
    assert np.array_equal(picture, audio_picture(padded, SPEECH))
    assert not picture[:, -(-count // SPEECH.hop) :].any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*(st.floats(-1e6, 1e6, width=32) for _ in range(3))), min_size=1, max_size=8)
)
def test_features_become_rows_between_their_ends(rows: list[tuple[float, float, float]]) -> None:
    values = np.asarray(rows, np.float32)
    picture = features_picture(values, MOTION)
    assert picture.shape == (3, 8, 3)
    assert not picture[:, len(rows) :].any()
    for feature in range(3):
        low, high = MOTION.low[feature], MOTION.high[feature]
        found = picture[feature, : len(rows), 0]
        back = low + found / 255.0 * (high - low)
        near = np.clip(values[:, feature], low, high)
        assert np.abs(back - near).max() <= (high - low) / 255 * 0.501


def test_grey_levels_are_the_values_where_the_range_is_that_of_bytes() -> None:
    levels = np.arange(8, dtype=np.float32)[:, None].repeat(3, axis=1)
    assert features_picture(levels, MOTION)[1, :, 0].tolist() == list(range(8))


def test_a_picture_of_the_inputs_size_goes_through_unchanged() -> None:
    picture = audio_picture(noise(SPEECH.samples), SPEECH)
    spec = InputSpec(SPEECH.steps, SPEECH.rows, signal=SPEECH)
    assert preprocess(picture, spec)[0] is picture


def test_how_long_a_picture_lasts() -> None:
    assert (SPEECH.samples, SPEECH.step_seconds, SPEECH.seconds) == (15920, 0.01, 0.995)
    assert (MOTION.rows, MOTION.step_seconds, MOTION.seconds) == (3, 0.1, 0.8)


@pytest.mark.parametrize(("name", "signal"), [("input-audio", SPEECH), ("input-features", MOTION)])
def test_a_signal_is_written_and_read(name: str, signal: Audio | Features) -> None:
    spec = read(FIXTURES / f"{name}.json", InputSpec)
    assert spec == InputSpec(signal.steps, signal.rows, signal=signal)
    assert encode(spec) == (FIXTURES / f"{name}.json").read_bytes()


def test_an_input_without_a_signal_says_nothing_of_it() -> None:
    assert b"signal" not in encode(InputSpec(8, 8))
    with pytest.raises(ContractError, match="null"):
        decode(b'{"width": 8, "height": 8, "signal": null}', InputSpec, "input")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"low": 5000.0, "high": 4000.0}, "expected low < high"),
        ({"high": 8001.0}, "rate / 2, which is 8000"),
        ({"bands": 128}, "holds no frequency, they are 31.2 Hz apart: take fewer bands"),
        ({"floor": 0.0}, "floor"),
        ({"steps": 0}, "steps"),
        ({"hop": 0}, "hop"),
        ({"surprise": 1}, "surprise"),
        ({"kind": "video"}, "video"),
    ],
)
def test_a_spectrogram_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    signal = {**msgspec.to_builtins(SPEECH), **changes}
    document = msgspec.json.encode({"width": 98, "height": 40, "signal": signal})
    with pytest.raises(ContractError, match=says):
        decode(document, InputSpec, "input")


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        ((0.0,), (1.0, 2.0), "1 values of low, 2 of high"),
        ((0.0, 3.0), (1.0, 3.0), "feature 1: expected low < high"),
        ((), (), "length"),
    ],
)
def test_ranges_that_are_none_are_refused(
    low: tuple[float, ...], high: tuple[float, ...], says: str
) -> None:
    document = {**msgspec.to_builtins(MOTION), "low": low, "high": high}
    with pytest.raises(ContractError, match=says):
        decode(msgspec.json.encode(document), Features, "signal")


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(0, np.float32), "expected 1 to 15920 samples"),
        (np.zeros(15921, np.float32), r"found float32 \[15921\]"),
        (np.zeros((2, 400), np.float32), r"found float32 \[2, 400\]"),
        (np.zeros(400, np.int16), "found int16"),
        (np.asarray([0, np.nan], np.float32), r"found nan at \[1\]"),
    ],
)
def test_what_are_no_samples_is_refused(samples: Float32, says: str) -> None:
    with pytest.raises(InputError, match=says):
        audio_picture(samples, SPEECH)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((4, 2), np.float32), r"expected features as f32 \[1 to 8, 3\], found float32"),
        (np.zeros((9, 3), np.float32), "found 9 steps"),
        (np.zeros((0, 3), np.float32), "found 0 steps"),
        (np.full((2, 3), np.inf, np.float32), r"found inf at \[0, 0\]"),
    ],
)
def test_what_are_no_features_is_refused(values: Float32, says: str) -> None:
    with pytest.raises(InputError, match=says):
        features_picture(values, MOTION)
