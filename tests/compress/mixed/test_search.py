"""The search: few validations, a result that keeps the margins, and nothing validated twice."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.compress.mixed import Drop, Found, Keeping, LayerNoise, search
from edgefactory.datasets.errors import GateError, InputError

Layers = tuple[str, ...]
Judge = Callable[[Layers], tuple[Drop, ...]]

MARGIN = 0.01


def _ranking(count: int) -> list[LayerNoise]:
    return [LayerNoise(f"layer{number}", 1.0 / (1 + number)) for number in range(count)]


def _drops(overall: float, camera: float = 0.0) -> tuple[Drop, ...]:
    return (
        Drop("all", "all", overall, MARGIN, 100),
        Drop("source", "door", camera, MARGIN, 20),
    )


def _search(count: int, judge: Judge, keeping: Keeping | None = None) -> Found[Layers]:
    """A search whose models are the layers in float themselves."""
    return search(lambda layers: layers, judge, lambda: _ranking(count), lambda *_: None, keeping)


@given(st.integers(1, 200), st.data())
def test_a_monotone_loss_needs_few_validations(count: int, data: st.DataObject) -> None:
    least = data.draw(st.integers(0, count - 1))
    seen: list[Layers] = []

    def judge(layers: Layers) -> tuple[Drop, ...]:
        seen.append(layers)
        return _drops(0.0 if len(layers) >= least else MARGIN * (1 + least - len(layers)))

    found = _search(count, judge)
    assert len(found.model) == least
    assert found.model == found.chosen.float_layers
    assert len(seen) <= math.ceil(math.log2(count)) + 2


@given(st.integers(1, 60), st.data())
def test_a_loss_that_jumps_about_gives_a_result_that_keeps_all_margins(
    count: int, data: st.DataObject
) -> None:
    losses = data.draw(
        st.lists(st.tuples(*[st.floats(-0.05, 0.05)] * 2), min_size=count + 1, max_size=count + 1)
    )
    seen: list[Layers] = []

    def judge(layers: Layers) -> tuple[Drop, ...]:
        seen.append(layers)
        return _drops(*losses[len(layers)])

    try:
        found = _search(count, judge)
    except GateError:
        assert all(max(losses[len(layers)]) > MARGIN for layers in seen)
    else:
        assert max(losses[len(found.model)]) <= MARGIN
        assert found.chosen.drops == _drops(*losses[len(found.model)])
    assert len(seen) == len(set(seen)) <= math.ceil(math.log2(count)) + 2


def test_where_all_int8_is_enough_nothing_is_ranked() -> None:
    found = search(lambda layers: layers, lambda _: _drops(0.0), _unasked, lambda *_: None)
    assert found.model == ()
    assert len(found.tried) == 1


def _unasked() -> list[LayerNoise]:
    raise AssertionError("the layers were ranked for nothing")


def test_one_camera_that_loses_too_much_keeps_layers_in_float() -> None:
    found = _search(16, lambda layers: _drops(0.0, 0.0 if len(layers) >= 5 else 0.03))
    assert found.model == tuple(f"layer{number}" for number in range(5))


def test_no_mixture_that_keeps_the_margins_is_said_with_the_slice() -> None:
    with pytest.raises(GateError, match=r"no layer can be INT8.*source door: lost 0\.2") as caught:
        _search(8, lambda _: _drops(0.02, 0.2))
    assert "\n" not in str(caught.value)


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(InputError, match="no layer is left to quantize"):
        _search(0, lambda _: _drops(1.0))


class _Killed(BaseException):
    """As a kill in the middle of a validation."""


def _judging(seen: list[Layers], killed_at: int = 0) -> Judge:
    """A judge that wants 11 layers in float, notes what it sees, and is killed at one of them."""

    def judge(layers: Layers) -> tuple[Drop, ...]:
        if len(seen) + 1 == killed_at:
            raise _Killed
        seen.append(layers)
        return _drops(0.0 if len(layers) >= 11 else 0.02)

    return judge


@pytest.mark.parametrize("killed_at", range(1, 5))
def test_a_killed_search_goes_on_where_it_was(tmp_path: Path, killed_at: int) -> None:
    keeping = Keeping(tmp_path, {"model": "a", "margins": 1})
    whole: list[Layers] = []
    wanted = _search(32, _judging(whole))
    before: list[Layers] = []
    with pytest.raises(_Killed):
        _search(32, _judging(before, killed_at), keeping)
    after: list[Layers] = []
    assert _search(32, _judging(after), keeping) == wanted
    assert before + after == whole


def test_what_was_validated_for_other_inputs_does_not_count(tmp_path: Path) -> None:
    def good(_: Layers) -> tuple[Drop, ...]:
        return _drops(0.0)

    _search(4, good, Keeping(tmp_path, {"model": "a"}))
    assert _search(4, good, Keeping(tmp_path, {"model": "a"})).tried
    with pytest.raises(GateError):
        _search(4, lambda _: _drops(1.0), Keeping(tmp_path, {"model": "b"}))


def test_a_line_that_a_kill_cut_off_is_validated_again(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, {"model": "a"})
    whole = _search(8, lambda layers: _drops(0.0 if len(layers) >= 3 else 0.02), keeping)
    (journal,) = tmp_path.iterdir()
    journal.write_bytes(journal.read_bytes()[:-20])
    again = _search(8, lambda layers: _drops(0.0 if len(layers) >= 3 else 0.02), keeping)
    assert again == whole
