"""What a camera usually shows is kept whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.watching.background import MOST_BYTES, load_background, save_background
from edge_runtime.watching.camera import LEARN, Background, Camera, view_of

PLACE = "rtsp://cam/1"


def _background(height: int = 40) -> Background:
    grey = np.random.default_rng(0).uniform(0, 255, (height, 60)).astype(np.float32)
    return Background(grey, 0.25, 0.125, 0.5)


def test_it_comes_back_but_for_parts_of_grey_levels(tmp_path: Path) -> None:
    path = tmp_path / "cameras" / "lobby.json"
    before = _background()
    assert save_background(path, PLACE, before)
    after = load_background(path, PLACE)
    assert after is not None
    assert np.abs(after.grey - before.grey).max() <= 0.5
    assert (after.sharp, after.white, after.edges_fit) == (0.25, 0.125, 0.5)
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_another_source_or_when_there_is_none_nothing_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "lobby.json"
    assert load_background(path, PLACE) is None
    assert not caplog.text
    save_background(path, PLACE, _background())
    assert load_background(path, "rtsp://cam/2") is None
    assert "of another source" in caplog.text


def test_one_too_large_is_not_kept(tmp_path: Path) -> None:
    assert not save_background(tmp_path / "lobby.json", PLACE, _background(MOST_BYTES // 60))
    assert not (tmp_path / "lobby.json").exists()


@given(st.data())
def test_whatever_is_damaged_is_learned_anew(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("camera") / "lobby.json"
    save_background(path, PLACE, _background())
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.sampled_from([whole[place + 1 :], b""]))
    changed = data.draw(st.binary(max_size=3).filter(lambda b: b + end != whole[place:]))
    path.write_bytes(whole[:place] + changed + end)
    found = load_background(path, PLACE)
    if found is not None:  # only a space between two words of the JSON
        assert path.read_bytes().translate(None, b" \t\r\n") == whole


def test_a_camera_begins_with_it_and_with_pictures_of_another_size_anew() -> None:
    draw = np.random.default_rng(3)
    scene = draw.integers(20, 220, (96, 128, 3)).astype(np.uint8).repeat(2, 0).repeat(2, 1)

    def seen() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.clip(scene + draw.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)

    first = Camera()
    for _ in range(LEARN):
        first = first.step(view_of(seen()))
    assert first.background is not None
    again = Camera(background=first.background)
    for _ in range(6):
        again = again.step(view_of(seen()[::-1, ::-1].copy()))
    assert again.fault == "moved"
    other = Camera(background=first.background).step(view_of(seen()[:100].copy()))
    assert (other.fault, other.suspected, other.background) == (None, None, None)
