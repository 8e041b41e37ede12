"""The commands on snapshots: what they print, what `--json` holds, how they fail."""

import hashlib
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from edgefactory.datasets import Header, Item, Label, read_manifest
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.pipelines import main

HEADER = Header("yard", "detection", ("person", "cat"), "teacher")
Said = pytest.CaptureFixture[str]


def _item(seed: int, kind: str = "person") -> Item:
    name = hashlib.sha256(b"%d" % seed).hexdigest()
    label = Label(kind, (1.0, 1.0, 20.0, 20.0), "teacher:" + "0" * 64, 0.9, "accepted")
    return Item(name, f"images/{name}.jpg", 64, 48, "cam", seed, float(seed), "train", (label,))


def _write(folder: Path, *items: Item) -> str:
    bytes_of = {hashlib.sha256(b"%d" % seed).hexdigest(): b"%d" % seed for seed in range(99)}
    write_snapshot(folder, HEADER, items, lambda one: bytes_of[one.id])
    return str(folder)


@pytest.fixture
def old(tmp_path: Path) -> str:
    return _write(tmp_path / "old", *(_item(n) for n in range(20)))


@pytest.fixture
def new(tmp_path: Path) -> str:
    moved = replace(_item(1), split="val")
    return _write(tmp_path / "new", _item(0, "cat"), moved, *(_item(n) for n in range(2, 21)))


def _json(capfd: Said, *arguments: str) -> dict[str, object]:
    assert main(["--json", "data", *arguments]) == 0
    found: dict[str, object] = json.loads(capfd.readouterr().out)
    return found


def test_diff_says_what_is_different(old: str, new: str, capfd: Said) -> None:
    assert main(["data", "diff", old, new]) == 0
    text = capfd.readouterr().out
    assert "added: 1 pictures (1 train)\n" in text
    assert "moved: 1 pictures (1 train -> val)\n" in text
    assert "  1 labels person -> cat\n" in text
    assert "the same: 18 pictures\n" in text
    assert main(["data", "diff", old, new, "--limit", "1"]) == 0
    assert capfd.readouterr().out.endswith("and 2 more; --limit lists more of them\n")
    assert main(["data", "diff", old, old]) == 0
    assert capfd.readouterr().out == "no difference: 20 pictures are the same\n"


def test_diff_as_json(old: str, new: str, capfd: Said) -> None:
    found = _json(capfd, "diff", old, new)
    assert found["labels"] == {"person": {"class": 1}}
    assert found["same"] == 18


def test_stats_as_tables_and_as_json(old: str, capfd: Said) -> None:
    assert main(["data", "stats", old]) == 0
    text = capfd.readouterr().out
    assert "20 small" in text
    assert text.endswith("yard: 20 pictures, 20 labels, 0 of them with a bound on their error\n")
    found = _json(capfd, "stats", old)
    assert found["sources"] == {"cam": {"pictures": 20, "first": 0.0, "last": 19.0}}


def test_merge_prefers_whom_it_is_told(tmp_path: Path, capfd: Said) -> None:
    human = Label("person", (1.0, 1.0, 20.0, 20.0), "human:ann", 1.0, "reviewed")
    a = _write(tmp_path / "a", replace(_item(1), labels=(human,)))
    b = _write(tmp_path / "b", replace(_item(1), labels=(replace(human, class_="cat"),)))
    out = str(tmp_path / "out")
    assert main(["data", "merge", a, b, "--out", out]) == 2
    assert "--prefer" in capfd.readouterr().err
    assert _json(capfd, "merge", a, b, "--out", out, "--prefer", b)["shared"] == 1
    assert read_manifest(Path(out)).items[0].labels[0].class_ == "cat"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["{old}"], "name two or more"), (["{old}", "{old}", "--prefer", "c"], "none of the")],
)
def test_merge_refuses_what_makes_no_sense(
    old: str, tmp_path: Path, capfd: Said, arguments: list[str], says: str
) -> None:
    filled = [argument.format(old=old) for argument in arguments]
    assert main(["data", "merge", *filled, "--out", str(tmp_path / "out")]) == 2
    assert says in capfd.readouterr().err


def test_remap_renames_and_drops(new: str, tmp_path: Path, capfd: Said) -> None:
    out = tmp_path / "out"
    found = _json(capfd, "remap", new, "--out", str(out), "--map", "person=human", "--map", "cat=")
    assert (found["renamed"], found["dropped"], found["classes"]) == (20, 1, ["human"])
    assert read_manifest(out).classes == ("human",)


def test_split_divides_by_time(old: str, tmp_path: Path, capfd: Said) -> None:
    out = tmp_path / "out"
    assert main(["data", "split", old, "--out", str(out), "--gap", "0"]) == 0
    assert "14 train, 2 val, 4 test; 0 left out in gaps" in capfd.readouterr().out
    assert [item.split for item in read_manifest(out).items[-4:]] == ["test"] * 4


def test_a_version_goes_and_comes(old: str, tmp_path: Path, capfd: Said) -> None:
    store = ("--store", str(tmp_path / "store"))
    digest = str(_json(capfd, "push", old, *store, "--note", "first")["sha256"])
    assert main(["data", "versions", *store]) == 0
    assert capfd.readouterr().out.startswith(digest[:12])
    out = str(tmp_path / "back")
    assert _json(capfd, "pull", digest[:6], *store, "--out", out)["fetched"] == 21
    assert _json(capfd, "diff", old, out)["same"] == 20
    assert main(["data", "pull", "nothing", *store, "--out", out]) == 3
    assert capfd.readouterr().err.count("\n") == 1


def test_an_empty_store_says_so(tmp_path: Path, capfd: Said) -> None:
    assert main(["data", "versions", "--store", str(tmp_path / "store")]) == 0
    assert capfd.readouterr().out.endswith("store holds no version\n")
