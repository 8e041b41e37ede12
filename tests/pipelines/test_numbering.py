"""Numbers of releases: they only rise."""

from pathlib import Path

from edgefactory.pipelines.numbering import FIRST, Number, newest


def test_nothing_is_published_yet(tmp_path: Path) -> None:
    assert newest(tmp_path / "published", "cctv-person") is None


def test_the_following_number_is_one_up_in_both() -> None:
    assert FIRST.following() == Number(2, "0.1.1")
    assert Number(9, "1.0.9").following() == Number(10, "1.0.10")


def test_the_sequence_orders_numbers() -> None:
    assert max(Number(10, "0.1.9"), Number(9, "0.2.0")).sequence == 10
