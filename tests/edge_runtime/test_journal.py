"""The journal stands in two copies; what is damaged is mended from the other, or from proof."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import encode
from edge_runtime.errors import StorageError, TrustError
from edge_runtime.rebuilding import mend_journal
from edge_runtime.running import active, open_active
from edge_runtime.state import State
from edge_runtime.store import Journal, ModelSlots, load_journal, save_journal
from edge_runtime.store.journal import copies
from edge_runtime.trust import highwater
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once

from .models import build, squares_onnx
from .publishing import Publisher

NOW = 1_900_000_000.0
OLD = Journal(models={"squares": ModelSlots(reason="old")})
NEW = Journal(models={"squares": ModelSlots(reason="new")})


def _pull(state: State) -> None:
    once(state, Wish("squares"), lambda *_: None, Http(timeout=5))


def _damage(state: State) -> None:
    for copy in copies(state.journal):
        copy.write_bytes(b"\0" * copy.stat().st_size)


@pytest.mark.parametrize("damage", [b"", b"\0" * 300, b"{}", b'{"sha256": "0"}'])
@pytest.mark.parametrize("copy", [0, 1])
def test_one_damaged_copy_loses_nothing(tmp_path: Path, copy: int, damage: bytes) -> None:
    path = tmp_path / "slots.json"
    save_journal(path, OLD)
    save_journal(path, NEW)
    copies(path)[copy].write_bytes(damage)
    assert load_journal(path) == NEW
    save_journal(path, OLD)
    copies(path)[1 - copy].unlink()
    assert load_journal(path) == OLD  # the damaged one was written anew


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "slots.json"
    save_journal(path, NEW)
    one, two = copies(path)
    two.unlink()
    data = bytearray(one.read_bytes())
    data[place % len(data)] ^= 1 << bit
    one.write_bytes(data)
    found = None
    with contextlib.suppress(StorageError):
        found = load_journal(path)
    assert found in (None, NEW)  # NEW only where the flip changes no meaning


def test_the_newer_generation_counts(tmp_path: Path) -> None:
    path = tmp_path / "slots.json"
    save_journal(path, OLD)
    older = copies(path)[0].read_bytes()
    save_journal(path, NEW)
    copies(path)[0].write_bytes(older)  # what a write that was undone leaves
    assert load_journal(path) == NEW


def test_a_journal_of_before_there_were_copies_is_read_and_then_replaced(tmp_path: Path) -> None:
    path = tmp_path / "slots.json"
    path.write_bytes(encode(OLD))
    assert load_journal(path) == OLD
    save_journal(path, NEW)
    assert not path.exists()
    assert load_journal(path) == NEW


@pytest.mark.component
def test_with_both_copies_damaged_what_ran_is_proven_again_without_network(
    state: State, publisher: Publisher
) -> None:
    for sequence in (1, 2):
        publisher.publish(build(sequence, {"onnx-fp32": squares_onnx(gain=1 + sequence / 1e3)}))
        _pull(state)
    before = load_journal(state.journal).of("squares")
    _damage(state)
    with pytest.raises(StorageError, match=r"both copies .* `edge-runtime once` mends it"):
        active(state, "squares")
    with state.lock():
        assert mend_journal(state, state.site(), NOW)
        assert not mend_journal(state, state.site(), NOW)
    slots = load_journal(state.journal).of("squares")
    assert slots.active is not None
    assert slots.previous is not None
    assert before.active is not None
    assert before.previous is not None
    assert slots.active.release == before.active.release
    assert slots.previous.release == before.previous.release
    assert "made anew" in slots.reason
    open_active(state, active(state, "squares"), threads=1)


@pytest.mark.component
def test_with_both_copies_damaged_an_update_goes_on_as_before(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    _pull(state)
    _damage(state)
    publisher.publish(build(2))
    _pull(state)
    slots = load_journal(state.journal).of("squares")
    assert [slot.sequence for slot in (slots.active, slots.previous) if slot] == [2, 1]


@pytest.mark.component
@pytest.mark.parametrize("harm", ["model", "blocked", "reports", "forged", "marks"])
def test_what_cannot_be_proven_does_not_run(state: State, publisher: Publisher, harm: str) -> None:
    built = build(1)
    publisher.publish(built)
    _pull(state)
    _damage(state)
    if harm == "model":
        state.contents.path(built.release.variants[0].files["model.onnx"]).write_bytes(b"x")
    if harm == "blocked":
        marks = highwater.load(state.trust)
        highwater.save(state.trust, highwater.raise_floor(marks, "squares", 9))
    for path in state.outbox.iterdir():
        if harm == "reports":
            path.unlink()
        if harm == "forged":
            path.write_bytes(path.read_bytes().replace(b'"sig": "', b'"sig": "AA'))
    if harm == "marks":
        for path in state.trust.iterdir():
            path.write_bytes(b"")
        with state.lock(), pytest.raises(TrustError, match="high-water marks"):
            mend_journal(state, state.site(), NOW)
        return
    with state.lock():
        mend_journal(state, state.site(), NOW)
    slots = load_journal(state.journal).of("squares")
    assert slots.active is None
    assert "nothing here could be proven" in slots.reason
    if harm != "blocked":
        _pull(state)
        assert load_journal(state.journal).of("squares").active is not None
