"""Recordings of sound: every container, mixed and resampled, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets import sound
from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.datasets.sound import read_sound

from .recordings import noise, tone, write_sound, write_wav


def test_samples_come_as_they_are(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(440))
    found = read_sound(path, 16000)
    assert (found.rate, found.channels) == (16000, 1)
    assert found.samples.dtype == np.float32
    assert np.abs(found.samples - tone(440)).max() < 1e-4


@pytest.mark.parametrize(
    ("name", "codec", "least"),
    [("a.flac", "flac", 0.9999), ("a.mp3", "libmp3lame", 0.99), ("a.ogg", "libopus", 0.98)],
)
def test_every_container_is_read(tmp_path: Path, name: str, codec: str, least: float) -> None:
    rate = 48000
    path = write_sound(tmp_path / name, codec, tone(440, rate=rate), rate)
    found = read_sound(path, rate).samples
    wanted = tone(440, rate=rate)
    count = min(len(found), len(wanted))
    assert abs(len(found) - len(wanted)) <= 0.05 * rate  # codecs fill up whole blocks
    best = max(
        float(np.corrcoef(found[shift : count - 100 + shift], wanted[: count - 100])[0, 1])
        for shift in range(0, 100, 5)
    )
    assert best > least


def test_channels_are_mixed_to_their_mean(tmp_path: Path) -> None:
    both = np.stack([tone(440, amplitude=0.8), tone(1000, amplitude=0.4)], axis=1)
    found = read_sound(write_wav(tmp_path / "a.wav", both), 16000)
    assert found.channels == 2
    assert np.abs(found.samples - both.mean(axis=1)).max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_resampled_in_place(tmp_path: Path, rate: int) -> None:
    """Neither shifted nor louder, whatever the rates: compared with the tone itself."""
    found = read_sound(write_wav(tmp_path / "a.wav", tone(440, rate=rate), rate), 16000)
    wanted = tone(440)
    assert found.rate == rate
    assert len(found.samples) == len(wanted)
    assert np.abs(found.samples - wanted)[100:-100].max() < 1e-3


def test_what_the_lower_rate_cannot_hold_is_gone(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(12000, rate=44100), 44100)
    assert np.abs(read_sound(path, 16000).samples[100:-100]).max() < 0.01


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a sound at all\n" * 20, r"recording .*a\.wav cannot be decoded .*no recording"),
        (b"", r"a\.wav is empty"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "cannot be decoded"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        read_sound(tmp_path / "a.wav", 16000)
    assert "\n" not in str(caught.value)


def test_a_recording_of_nothing_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros(0))
    with pytest.raises(InputError, match="is empty: it holds no samples"):
        read_sound(path, 16000)
    with pytest.raises(MissingError, match="is not there"):
        read_sound(tmp_path / "none.wav", 16000)


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    samples = np.full(1000, np.nan, "<f4").tobytes()
    header = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt \x10\x00\x00\x00"
    header += b"\x03\x00\x01\x00" + (16000).to_bytes(4, "little") + (64000).to_bytes(4, "little")
    header += b"\x04\x00\x20\x00data" + len(samples).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(header + samples)
    with pytest.raises(InputError, match="no finite numbers"):
        read_sound(tmp_path / "a.wav", 16000)


def test_a_recording_that_changes_half_way_is_refused(tmp_path: Path) -> None:
    one = write_sound(tmp_path / "1.mp3", "libmp3lame", noise(rate=48000), 48000)
    two = write_sound(tmp_path / "2.mp3", "libmp3lame", noise(rate=16000), 16000)
    (tmp_path / "both.mp3").write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(InputError, match="changes its rate or channels half-way; cut it there"):
        read_sound(tmp_path / "both.mp3", 16000)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_is_told_in_one_line_if_at_all(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    codec, name = data.draw(st.sampled_from([("libopus", "a.ogg"), ("flac", "a.flac")]))
    content = bytearray(
        write_sound(folder / name, codec, tone(440, 0.05, 48000), 48000).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(bytes(content))
    said = ""
    try:
        read_sound(folder / name, 16000)
    except EdgefactoryError as error:
        said = str(error)
    assert "\n" not in said


def test_an_endless_recording_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "_MAX_SAMPLES", 4000)
    path = write_wav(tmp_path / "a.wav", noise())
    with pytest.raises(InputError, match="longer than 0 minutes at 16000 Hz; cut it first"):
        read_sound(path, 16000)


def test_a_playlist_reads_no_other_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", noise())
    (tmp_path / "a.wav").write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'secret.wav'}'\n")
    with pytest.raises(InputError, match="cannot be decoded"):
        read_sound(tmp_path / "a.wav", 16000)
