"""Files of recordings become pictures, whatever their bytes are."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.contract import InputSpec, audio_picture, features_picture, preprocess
from edge_runtime.errors import InputError
from edge_runtime.given import sequence, shown, stretches

from .models import png, scene
from .recordings import AUDIO, FEATURES, npy, tone

SOUND, TABLE = InputSpec(8, 8, signal=AUDIO), InputSpec(6, 2, signal=FEATURES)


def test_sound_is_what_the_contract_makes_of_its_samples() -> None:
    data = tone(AUDIO.samples)
    samples = np.frombuffer(data[-2 * AUDIO.samples :], "<i2").astype(np.float32) / np.float32(
        32768
    )
    assert np.array_equal(shown(data, SOUND, "it"), audio_picture(samples, AUDIO))
    assert preprocess(shown(data, SOUND, "it"), SOUND)[0].max() > 100


def test_several_channels_become_their_mean() -> None:
    samples = sequence(tone(50, channels=2), AUDIO, "it")
    assert samples == pytest.approx(1.5 * sequence(tone(50), AUDIO, "it"), abs=1 / 32768)


def test_features_are_what_the_contract_makes_of_them() -> None:
    values = np.linspace(0, 1, 10).reshape(5, 2)
    for kind in (np.float32, np.float64, ">f4"):
        found = shown(npy(values.astype(kind)), TABLE, "it")
        assert np.array_equal(found, features_picture(values.astype(np.float32), FEATURES))


def test_a_recording_is_cut_into_stretches() -> None:
    data, length = tone(2 * AUDIO.samples + 10), AUDIO.samples
    cut = stretches(data, SOUND, "it")
    assert [start for start, _ in cut] == [0, length / 8000, 2 * length / 8000]
    samples = sequence(data, AUDIO, "it")
    for (_, picture), at in zip(cut, (0, length, 2 * length), strict=True):
        assert np.array_equal(picture, audio_picture(samples[at : at + length], AUDIO))
    assert [start for start, _ in stretches(npy(np.zeros((7, 2))), TABLE, "it")] == [0, 0.6]
    with pytest.raises(InputError, match="expected 1 to"):
        shown(data, SOUND, "it")


def test_a_picture_of_a_sequence_is_taken_as_it_is() -> None:
    picture = scene((2, 2), size=(8, 8))
    assert np.array_equal(shown(png(picture), SOUND, "it"), picture)
    ((start, found),) = stretches(png(picture), SOUND, "it")
    assert start == 0
    assert np.array_equal(found, picture)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a WAV file that can be read: it breaks off"),
        (b"RIFF\0\0\0\0WAVE", "not a WAV file"),
        (tone(0), "holds no samples"),
        (tone(9, rate=16000), "16 bits at 16000 samples a second; expected 16 bits at 8000"),
        (tone(8, width=4), "has 32 bits"),
    ],
)
def test_what_is_no_such_sound_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        shown(data, SOUND, "it")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no such file"),
        (b"PK\x03\x04", "no such file"),
        (npy(np.zeros((3, 3))), r"says \[3, 3\], 72 bytes; expected a .npy file of floats"),
        (npy(np.zeros((0, 2))), r"says \[0, 2\]"),
        (npy(np.zeros((3, 2), np.int64)), "no such file"),
        (npy(np.zeros((3, 2), "O")), "no such file"),
        (npy(np.zeros((2, 3)).T), "row by row"),
        (npy(np.zeros((3, 2)))[:-1], "47 bytes"),
        (npy(np.zeros((3, 2))).replace(b"(3, 2), }", b"(999999999, 2), }"), "says"),
        (npy(np.full((3, 2), np.nan)), "must be finite"),
    ],
)
def test_what_are_no_such_features_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        shown(data, TABLE, "it")


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([(tone(20), SOUND), (npy(np.zeros((3, 2))), TABLE)]),
    st.integers(0, 140),
    st.binary(max_size=12),
)
def test_any_bytes_are_a_sequence_or_refused(
    what: tuple[bytes, InputSpec], at: int, put: bytes
) -> None:
    data, spec = what
    with contextlib.suppress(InputError):
        stretches(data[:at] + put + data[at + len(put) :], spec, "it")
