"""docs/sequences.md is true: its commands run, and its edge sees the pictures of the snapshot."""

from __future__ import annotations

import re
import shlex
import wave
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import Audio, InputSpec, Signal
from edgefactory.datasets import Item, load_picture, read_snapshot
from edgefactory.pipelines import main

PAGE = (Path(__file__).parents[2] / "docs" / "sequences.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def record(path: Path, seconds: float, seed: int) -> None:
    """Noise that grows louder, 16 bits at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = round(seconds * 16000)
    samples = np.random.default_rng(seed).normal(0, 3000, count) * np.linspace(0.05, 1, count)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.astype("<i2").tobytes())


def heard(folder: Path, item: Item) -> np.ndarray[Any, np.dtype[np.int16]]:
    with wave.open(str(folder / item.source)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.fixture
def pages_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders that the page names, and its commands run there."""
    for number in range(8):
        class_ = ("yes", "no")[number % 2]
        record(tmp_path / "words" / class_ / f"{number}.wav", 0.7 + 0.25 * number, number)
        record(tmp_path / "more" / class_ / f"{number}.wav", 1.2, 100 + number)
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 3
    for command in commands:
        assert command[0] == "edgefactory"
        assert main(command[1:]) == 0
    return tmp_path


def test_the_edge_of_the_page_sees_the_pictures_of_the_snapshot(pages_folder: Path) -> None:
    snapshot = read_snapshot(pages_folder / "raw")
    assert read_snapshot(pages_folder / "raw2").signal == snapshot.signal
    assert isinstance(snapshot.signal, Audio)
    signal = snapshot.signal
    namespace: dict[str, Any] = {}
    exec(blocks("python")[0], namespace)  # noqa: S102 -- our own page
    starts = {item.frame for item in snapshot.items}
    assert {0, 49} <= starts
    for item in snapshot.items:
        ear = namespace["Ear"](InputSpec(signal.steps, signal.rows, signal=signal))
        begin = signal.hop * (item.frame or 0)
        pcm = heard(pages_folder / "words", item)[: begin + signal.samples]
        silence = np.zeros(begin + signal.samples - len(pcm), np.int16)
        for chunk in np.array_split(np.concatenate([pcm, silence]), 7):
            seen = ear.hear(chunk)
        assert np.array_equal(seen, load_picture(pages_folder / "raw", item))


def test_the_settings_of_the_page_are_a_signal() -> None:
    (text,) = blocks("json")
    signal = msgspec.json.decode(text, type=Signal)
    assert signal.rows == 64
