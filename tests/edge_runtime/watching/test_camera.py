"""Each fault of a camera is told by its name, and none is seen where only the light changes."""

import numpy as np
import pytest
from PIL import Image

from edge_runtime.contract import Fault
from edge_runtime.watching.camera import FREEZE, HOLD, LEARN, Camera, UInt8, shift_of, view_of

DRAW = np.random.default_rng(0)
HEIGHT, WIDTH = 288, 384


def _scene() -> UInt8:
    """Rectangles of many sizes over a slope, as of a room; the same each time."""
    draw = np.random.default_rng(1)
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.float64)
    picture += np.linspace(-30, 30, WIDTH)[None, :, None]
    for _ in range(150):
        x, y = int(draw.integers(0, WIDTH)), int(draw.integers(0, HEIGHT))
        w, h = (int(side) for side in draw.integers(6, 60, 2))
        picture[y : y + h, x : x + w] = draw.integers(20, 220, 3)
    return picture.astype(np.uint8)


SCENE = _scene()


def _seen(picture: UInt8, gain: float = 1.0) -> UInt8:
    """As a sensor gives it: with noise."""
    noise = DRAW.normal(0, 2, (HEIGHT, WIDTH, 1))
    return np.clip(picture * gain + noise, 0, 255).astype(np.uint8)


def _blurred() -> UInt8:
    small = Image.fromarray(SCENE).resize((WIDTH // 8, HEIGHT // 8))
    return np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def _after(camera: Camera, *pictures: UInt8) -> Camera:
    for picture in pictures:
        camera = camera.step(view_of(picture))
    return camera


@pytest.fixture(scope="module")
def camera() -> Camera:
    """A camera whose background is learnt."""
    known = _after(Camera(), *(_seen(SCENE) for _ in range(LEARN + 5)))
    assert known.fault is None
    assert known.seen == {}
    return known


FAULTS: list[tuple[Fault, UInt8]] = [
    ("blurred", _blurred()),
    ("covered", np.full_like(SCENE, 70)),
    ("moved", np.roll(SCENE, 20, axis=1)),
    ("moved", np.ascontiguousarray(SCENE[::-1, ::-1])),
    ("overexposed", np.clip(SCENE * 3.0, 0, 255).astype(np.uint8)),
    ("underexposed", (SCENE * 0.2).astype(np.uint8)),
    ("underexposed", np.zeros_like(SCENE)),
]


@pytest.mark.parametrize(("fault", "picture"), FAULTS)
def test_a_fault_is_told_once_it_holds_and_forgotten_once_it_is_gone(
    camera: Camera, fault: Fault, picture: UInt8
) -> None:
    before = _after(camera, *(_seen(picture) for _ in range(HOLD - 1)))
    assert (before.fault, before.suspected) == (None, fault)
    after = _after(before, _seen(picture))
    assert after.fault == fault
    held = _after(after, *(_seen(picture) for _ in range(30)))
    assert held.fault == fault  # it does not become the background
    assert held.seen == {fault: 31}
    mended = _after(held, *(_seen(SCENE) for _ in range(HOLD)))
    assert mended.fault is None


def test_a_test_picture_and_snow_are_no_signal_even_at_the_start() -> None:
    blue = np.broadcast_to(np.array([0, 0, 200], np.uint8), SCENE.shape)
    assert _after(Camera(), *[np.ascontiguousarray(blue)] * HOLD).fault == "no signal"
    snow = (DRAW.integers(0, 256, SCENE.shape).astype(np.uint8) for _ in range(HOLD))
    assert _after(Camera(), *snow).fault == "no signal"


def test_the_same_picture_again_is_frozen_and_another_is_not(camera: Camera) -> None:
    still = _seen(SCENE)
    assert _after(camera, *[still] * FREEZE).fault is None
    frozen = _after(camera, *[still] * (FREEZE + 1))
    assert frozen.fault == "frozen"
    assert _after(frozen, *(_seen(SCENE) for _ in range(HOLD))).fault is None


@pytest.mark.parametrize("gain", [0.6, 1.3])
def test_light_is_no_fault(camera: Camera, gain: float) -> None:
    assert _after(camera, *(_seen(SCENE, gain) for _ in range(30))).seen == {}


def test_who_walks_through_the_picture_is_no_fault(camera: Camera) -> None:
    for x in range(0, 300, 10):
        picture = SCENE.copy()
        picture[40:250, x : x + 90] = 30
        camera = _after(camera, _seen(picture))
    assert camera.seen == {}


def test_a_picture_of_another_size_begins_anew(camera: Camera) -> None:
    other = np.ascontiguousarray(SCENE[:100, :150])
    assert _after(camera, *(other ^ np.uint8(n % 2) for n in range(20))).seen == {}


@pytest.mark.parametrize(("down", "right"), [(0, 0), (7, -4), (-10, 20)])
def test_a_shift_is_measured(down: int, right: int) -> None:
    grey = SCENE[..., 1]
    moved = np.roll(grey, (down, right), axis=(0, 1))
    assert shift_of(moved, grey.astype(np.float32)) == (down, right)
