"""Damaged input is refused in a line: a few seconds of what the benchmark fuzz does for long."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import pictures
from edge_runtime.contract import Decisions, Release, Tolerance, decode, disagreement
from edge_runtime.errors import ContractError, InputError
from edge_runtime.pictures import decode_picture
from fuzz import End, watched
from fuzz_child import CASE

from .fuzz_targets import SHARES, TARGETS, opened
from .fuzzing import Target, case, problem
from .models import png, scene


@pytest.mark.component
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", TARGETS, ids=lambda make: make.__name__)
def test_what_is_damaged_is_taken_or_refused_in_a_line(
    tmp_path: Path, make: Callable[[Path], Target]
) -> None:
    with opened(make, tmp_path) as target:
        most = SHARES[make.__name__]
        numbers = random.Random(make.__name__).sample(range(most), min(300, most // 1000))
        problems = {number: text for number in numbers if (text := problem(target, number))}
        assert not problems


def test_a_million_cases_are_shared_out() -> None:
    assert sum(SHARES.values()) == 1_000_000
    assert set(SHARES) == {make.__name__ for make in TARGETS}


def test_whatever_is_no_line_of_ours_is_a_problem() -> None:
    def raising(error: Exception | None) -> Target:
        def attempt(_: int, data: bytes) -> None:
            if error is not None:
                raise error

        return Target("raising", [b"{}"], attempt)

    assert problem(raising(None), 0) == ""
    assert problem(raising(InputError("a line")), 0) == ""
    assert "KeyError" in problem(raising(KeyError("a")), 0)
    assert "MemoryError" in problem(raising(MemoryError()), 0)
    assert "no line" in problem(raising(InputError("two\nlines")), 0)
    assert "no line" in problem(raising(InputError("")), 0)


def test_a_case_is_always_the_same() -> None:
    target = Target("same", [b'{"a": [1, 2]}', b"x" * 50], lambda *_: None)
    assert [case(target, n) for n in range(50)] == [case(target, n) for n in range(50)]
    assert len({case(target, n)[1] for n in range(50)}) > 30


PROGRAM = """
import os, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
pathlib.Path(sys.argv[1]).write_bytes(bytes.fromhex(sys.argv[2]))
{}
"""


@pytest.mark.parametrize(
    ("ending", "how"),
    [("", "done"), ("os.abort()", "crash"), ("while True: pass", "hang")],
)
def test_a_process_that_ends_or_hangs_is_told_with_its_case(
    tmp_path: Path, ending: str, how: str
) -> None:
    place = tmp_path / "case"
    program = PROGRAM.format(ending)
    command = [sys.executable, "-S", "-c", program, str(place), CASE.pack(7).hex()]
    assert watched(command, place, hang_s=0.2) == End(how, 7)  # type: ignore[arg-type]  # of three


def test_a_picture_of_more_pixels_than_any_camera_has_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = png(scene())
    assert decode_picture(data, "it").shape == (48, 64, 3)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 48 * 64 - 1)
    with pytest.raises(InputError, match="64 × 48 pixels are more than"):
        decode_picture(data, "it")


def test_decisions_with_and_without_boxes_are_not_compared_box_by_box() -> None:
    one = Decisions((0,), (0.9,), ((0.0, 0.0, 8.0, 8.0),))
    other = Decisions((0,), (0.9,))
    for expected, found in ((one, other), (other, one)):
        assert "has boxes" in str(disagreement(expected, found, 0.5, Tolerance()))


def test_a_document_that_is_nested_too_deep_or_names_a_key_of_two_lines() -> None:
    for data in (b"[" * 100_000, b'{"a\\nb": 1}', b'{"' + b"k" * 9999 + b'": 1}'):
        with pytest.raises(ContractError) as caught:
            decode(data, Release, "release.json")
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
