"""Marks only rise, whatever order they come in, and survive a damaged copy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import Block, BlockedRelease, encode
from edge_runtime.errors import TrustError
from edge_runtime.trust import Marks, ModelMark, RoleMark, highwater

NOW = 1_800_000_000.0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_a_role_never_falls(versions: list[int]) -> None:
    marks, highest = Marks(), 0
    for version in versions:
        found = {"snapshot": RoleMark(version, "keys")}
        if version < highest:
            with pytest.raises(TrustError, match="replayed"):
                highwater.raise_roles(marks, found, NOW)
        else:
            marks = highwater.raise_roles(marks, found, NOW)
            highest = version
    assert marks.roles["snapshot"].version == highest


def test_only_new_keys_let_a_version_start_again_and_root_never_does() -> None:
    marks = highwater.raise_roles(
        Marks(), {"root": RoleMark(5, ""), "timestamp": RoleMark(90, "old")}, NOW
    )
    again = highwater.raise_roles(marks, {"timestamp": RoleMark(1, "new")}, NOW)
    assert again.roles["timestamp"].version == 1
    with pytest.raises(TrustError, match="role root"):
        highwater.raise_roles(marks, {"root": RoleMark(4, "other")}, NOW)


@given(st.lists(st.floats(0, 2 * NOW), min_size=1, max_size=20))
def test_trusted_time_never_falls(clock: list[float]) -> None:
    marks = Marks()
    for now in clock:
        before = marks.trusted_time
        if now < before - highwater.CLOCK_TOLERANCE_S:
            with pytest.raises(TrustError, match="set the clock"):
                highwater.raise_roles(marks, {}, now)
        else:
            marks = highwater.raise_roles(marks, {}, now)
            assert marks.trusted_time == max(before, now)


def test_sequences_and_floors_never_fall() -> None:
    marks = highwater.raise_model(Marks(), "cctv", 3, "a")
    assert highwater.raise_model(marks, "cctv", 3, "a") == marks
    assert highwater.raise_model(marks, "digits", 1, "c").models["cctv"].sequence == 3
    with pytest.raises(TrustError, match="higher sequence"):
        highwater.raise_model(marks, "cctv", 2, "b")
    with pytest.raises(TrustError, match="named a… before"):
        highwater.raise_model(marks, "cctv", 3, "b")
    raised = highwater.raise_floor(marks, "cctv", 5)
    assert highwater.raise_floor(raised, "cctv", 1) == raised
    with pytest.raises(TrustError, match="below the floor 5"):
        highwater.raise_model(raised, "cctv", 4, "b")


def test_what_is_only_stated_is_checked_and_raises_nothing() -> None:
    marks = highwater.raise_roles(Marks(), {"rollout": RoleMark(5, "keys")}, NOW)
    highwater.check_roles(marks, {"rollout": RoleMark(10**9, "keys")})
    with pytest.raises(TrustError, match="replayed"):
        highwater.check_roles(marks, {"rollout": RoleMark(4, "keys")})


def test_the_newest_block_list_holds_and_its_minimum_only_rises() -> None:
    def listed(minimum: int, *releases: str) -> Block:
        blocked = tuple(BlockedRelease(release, "bad") for release in releases)
        return Block("block/1", "cctv", blocked, minimum, "old" if minimum else "")

    marks = highwater.raise_block(Marks(), listed(4, "a", "b"))
    mark = marks.models["cctv"]
    assert mark.against(4, "a") == "blocked: bad"
    assert mark.against(3, "c") == "below the floor 4 that was signed: old"
    assert mark.against(4, "c") == ""
    mark = highwater.raise_block(marks, listed(0, "b")).models["cctv"]
    assert (mark.against(4, "a"), mark.floor) == ("", 4)
    mark = highwater.raise_floor(marks, "cctv", 9).models["cctv"]
    assert mark.against(5, "c") == "below the floor 9 that was signed"
    assert mark.against(9, "b") == "blocked: bad"
    assert highwater.raise_model(marks, "cctv", 5, "c").models["cctv"].against(5, "a")


def test_marks_from_before_there_were_block_lists_keep_their_seal() -> None:
    assert b"blocked" not in encode(ModelMark(3, "a", 1))
    assert b"floor_reason" not in encode(ModelMark(3, "a", 1))


def test_going_back_takes_a_rollout_that_knows_what_it_takes_back() -> None:
    marks = highwater.raise_model(Marks(), "cctv", 3, "c")
    with pytest.raises(TrustError, match="does not take back"):
        highwater.raise_model(marks, "cctv", 1, "a", known=2)
    back = highwater.raise_model(marks, "cctv", 1, "a", known=3)
    assert back == marks  # what was seen stays seen
    with pytest.raises(TrustError, match="below the floor 2"):
        highwater.raise_model(highwater.raise_floor(marks, "cctv", 2), "cctv", 1, "a", known=3)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_an_edition_never_falls(editions: list[int]) -> None:
    marks, highest = Marks(), 0
    for edition in editions:
        if edition < highest:
            with pytest.raises(TrustError, match="old rollout is being replayed"):
                highwater.raise_edition(marks, "cctv", edition)
        else:
            marks, highest = highwater.raise_edition(marks, "cctv", edition), edition


def test_new_keys_of_the_rollout_role_let_editions_start_again() -> None:
    """Whoever had stolen the old key may have signed an edition that nobody can follow."""
    old = Marks(roles={"rollout": RoleMark(3, "stolen")})
    far = highwater.raise_edition(old, "cctv", 2**60)
    with pytest.raises(TrustError, match="old rollout"):
        highwater.raise_edition(far, "cctv", 9)
    rotated = highwater.raise_roles(far, {"rollout": RoleMark(1, "new")}, NOW)
    assert highwater.raise_edition(rotated, "cctv", 9).models["cctv"].edition == 9


@pytest.mark.parametrize("damage", [b"", b"\0" * 200, b"{}", b'{"sha256": "0", "marks": {}}'])
@pytest.mark.parametrize("copy", ["marks.a.json", "marks.b.json"])
def test_one_damaged_copy_loses_nothing(tmp_path: Path, copy: str, damage: bytes) -> None:
    highwater.save(tmp_path, Marks())
    saved = highwater.save(tmp_path, highwater.raise_model(Marks(counter=1), "cctv", 3, "a"))
    (tmp_path / copy).write_bytes(damage)
    assert highwater.load(tmp_path) == saved


def test_a_changed_copy_is_not_believed(tmp_path: Path) -> None:
    saved = highwater.save(tmp_path, highwater.raise_model(Marks(), "cctv", 3, "a"))
    path = tmp_path / "marks.a.json"
    path.write_bytes(path.read_bytes().replace(b'"sequence": 3', b'"sequence": 9'))
    assert highwater.load(tmp_path) == saved


def test_without_an_intact_copy_nothing_is_believed(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="missing or damaged"):
        highwater.load(tmp_path)
