"""Splits by time and by source, never by chance."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from edge_runtime.contract import Features
from edgefactory.datasets import Header, Item, SplitSettings, read_manifest, split
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.splitting import source_cuts, time_cuts

from .snapshots import HEADER, bound, item, said, seen, vouched, write


def test_a_source_is_cut_in_its_own_time_with_a_gap_before_each_cut(tmp_path: Path) -> None:
    items = [item(n, at=n / 10) for n in range(101)]
    folder = write(tmp_path / "a", reversed(items))
    done = split(folder, SplitSettings(val=0.1, test=0.2, gap=0.02), tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    times = {name: [i.captured_at for i in new.split(name)] for name in ("train", "val", "test")}
    assert min(times["val"]) - max(times["train"]) > 0.2
    assert min(times["test"]) - max(times["val"]) > 0.2
    assert (len(times["test"]), len(times["val"])) == (20, 8)
    assert done.gap == 101 - len(new.items) == 4
    assert done.splits == {name: len(found) for name, found in times.items()}
    assert (tmp_path / "b" / new.items[0].file).is_file()


def test_each_source_is_cut_on_its_own(tmp_path: Path) -> None:
    items = [
        replace(item(n, at=float(n % 20 + 1000 * (n // 20))), source=f"cam-{n // 20}")
        for n in range(40)
    ]
    split(write(tmp_path / "a", items), SplitSettings(gap=0), tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    for source in ("cam-0", "cam-1"):
        found = [i.split for i in new.items if i.source == source]
        assert found == ["train"] * 14 + ["val"] * 2 + ["test"] * 4


def test_by_source_no_source_is_in_two_splits(tmp_path: Path) -> None:
    sizes = {"a": 20, "b": 9, "c": 5, "d": 3, "e": 3}
    names = [name for name, count in sizes.items() for _ in range(count)]
    items = [replace(item(n), source=name) for n, name in enumerate(names)]
    done = split(write(tmp_path / "a", items), SplitSettings("source"), tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    for name in sizes:
        assert len({i.split for i in new.items if i.source == name}) == 1
    assert done.gap == 0
    assert all(done.splits.values())


def test_the_header_says_anew_who_labelled_the_test(tmp_path: Path) -> None:
    def labeller(*items: Item) -> str:
        header = replace(HEADER, truth_sha256="0" * 64)
        folder = write(tmp_path / "a", items, header)
        split(folder, SplitSettings(val=0, test=0.5, gap=0), tmp_path / "b")
        new = read_manifest(tmp_path / "b")
        assert new.truth_sha256 is None
        return new.test_labels

    early = item(0, seen())
    assert labeller(early, item(1, said())) == "human"
    assert labeller(early, replace(item(1), reviewed=True)) == "human"
    assert labeller(early, item(1)) == "teacher"
    assert labeller(early, item(1, said(), seen())) == "teacher"
    assert labeller(early, item(1, replace(seen(), origin="imported:x"))) == "imported"


def test_a_gap_that_takes_labels_ends_their_bound(tmp_path: Path) -> None:
    vow = bound(50)
    items = [item(n, vouched(seen(), vow)) for n in range(50)]
    folder = write(tmp_path / "a", items, replace(HEADER, bounds=(vow,)))
    assert split(folder, SplitSettings(gap=0), tmp_path / "b").bounds_ended == 0
    assert split(folder, SplitSettings(gap=0.1), tmp_path / "c").bounds_ended == 1
    assert read_manifest(tmp_path / "b").bounds == (vow,)
    assert read_manifest(tmp_path / "c").bounds == ()


def test_pictures_without_time_cannot_be_divided_by_time(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", [item(n, at=0) for n in range(9)])
    with pytest.raises(InputError, match=r"source 'cam'.*all have the time 0 s.*--by source"):
        split(folder, SplitSettings(), tmp_path / "b")
    with pytest.raises(InputError, match="1 sources cannot fill the splits train, val, test"):
        split(folder, SplitSettings("source"), tmp_path / "b")


@pytest.mark.parametrize("shares", [(-0.1, 0.2, 0), (0.5, 0.5, 0), (0.4, 0.4, 0.3)])
def test_shares_that_leave_no_train_part_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="split:"):
        SplitSettings("time", *shares)


@settings(deadline=None, max_examples=60)
@given(
    seconds=st.lists(st.integers(0, 40).map(float), min_size=2, max_size=60),
    val=st.sampled_from([0, 0.1, 0.3]),
    test=st.sampled_from([0, 0.2, 0.4]),
    gap=st.sampled_from([0, 0.02, 0.1]),
)
def test_splits_follow_each_other_in_time_and_never_share_a_moment(
    seconds: list[float], val: float, test: float, gap: float
) -> None:
    if len(set(seconds)) == 1:
        seconds = [*seconds, seconds[0] + 1]
    cuts = time_cuts(seconds, SplitSettings("time", val, test, gap), "cam")
    order = {"train": 0, "val": 1, "test": 2}
    found = [(s, cuts.split_at(s)) for s in sorted(seconds)]
    ranks = [order[name] for _, name in found if name is not None]
    assert ranks == sorted(ranks)
    assert len({(s, name) for s, name in found}) == len({s for s, _ in found})
    if gap == 0:
        assert None not in {name for _, name in found}
        assert found[0][1] == "train"


@given(sizes=st.lists(st.integers(1, 100), min_size=3, max_size=20))
@settings(deadline=None, max_examples=60)
def test_by_source_every_split_gets_a_source(sizes: list[int]) -> None:
    cuts = source_cuts({str(n): size for n, size in enumerate(sizes)}, SplitSettings("source"))
    assert {cut.split_at(5.0) for cut in cuts.values()} == {"train", "val", "test"}


@given(
    sizes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=3, max_size=40)
)
@settings(deadline=None, max_examples=60)
def test_by_source_every_split_gets_its_share_of_every_class(sizes: list[tuple[str, int]]) -> None:
    pictures = {str(n): size for n, (_, size) in enumerate(sizes)}
    classes = {str(n): class_ for n, (class_, _) in enumerate(sizes)}
    cuts = source_cuts(pictures, SplitSettings("source", val=0.2, test=0.3), classes)
    shares = {"train": 0.5, "val": 0.2, "test": 0.3}
    found = {source: cut.split_at(5.0) for source, cut in cuts.items()}
    assert set(found.values()) == set(shares)
    for name, share in shares.items():
        for class_ in set(classes.values()):
            own = {source: size for source, size in pictures.items() if classes[source] == class_}
            got = sum(size for source, size in own.items() if found[source] == name)
            # Sources are not cut: a split may be off by two of them, and one that was forced on it.
            assert abs(got - share * sum(own.values())) <= 3 * max(pictures.values())


def test_equal_sources_in_order_of_their_class_are_divided_class_by_class(tmp_path: Path) -> None:
    header = Header("words", "classification", ("no", "yes"), "imported")
    items = [
        replace(item(n, seen("no" if n < 20 else "yes", box=None)), source=f"{n:02d}.wav")
        for n in range(40)
    ]
    folder = write(tmp_path / "a", items, header)
    split(folder, SplitSettings("source", val=0.1, test=0.2), tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    counts = Counter((i.split, i.labels[0].class_) for i in new.items)
    assert counts == {
        ("train", "no"): 14, ("val", "no"): 2, ("test", "no"): 4,
        ("train", "yes"): 14, ("val", "yes"): 2, ("test", "yes"): 4,
    }  # fmt: skip


@pytest.mark.parametrize("hop", [1, 2, 4, 7])
def test_sequences_that_share_a_step_are_never_in_two_splits(tmp_path: Path, hop: int) -> None:
    signal = Features(2.0, (0.0,) * 48, (1.0,) * 48, steps=4)  # of two seconds
    starts = range(0, 120, hop)
    items = [
        replace(item(n, seen("person", box=None), at=start / 2), width=4, frame=start)
        for n, start in enumerate(starts)
    ]
    header = Header("moves", "classification", ("person",), "imported", signal=signal)
    split(write(tmp_path / "a", items, header), SplitSettings(gap=0), tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    assert new.signal == signal
    steps = {
        name: {s for i in new.split(name) for s in range(i.frame or 0, (i.frame or 0) + 4)}
        for name in ("train", "val", "test")
    }
    assert all(steps.values())
    assert not steps["train"] & steps["val"]
    assert not steps["val"] & steps["test"]
    lost = len(items) - len(new.items)
    assert lost == 2 * (-(-4 // hop) - 1)  # no more than overlap a cut
