"""`edgefactory data check`: the table, the JSON, and the page of pictures."""

from __future__ import annotations

import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefactory.datasets import Header, Item, Label, Split
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.checks import KINDS, read_check
from edgefactory.pipelines.checkpage.wording import WORDS
from edgefactory.pipelines.cli import main


class Tags(HTMLParser):
    """What a page links to, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Twelve street frames, one of them black; a wide box among tall ones; a leak."""
    out = tmp_path / "snapshot"
    items, files = [], {}
    random = np.random.default_rng(0)
    street = np.kron(random.integers(40, 220, (6, 8, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    for index in range(16):
        noise = random.normal(0, 2, street.shape)
        pixels = np.clip(street + noise, 0, 255).astype(np.uint8)
        pixels[30:70, 8 * index : 8 * index + 15] = 250
        box = (8.0 * index, 30.0, 8.0 * index + 15, 70.0)
        if index == 4:
            pixels = np.zeros_like(pixels)
        if index == 9:
            box = (20.0, 50.0, 140.0, 60.0)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        files[digest] = buffer.getvalue()
        label = Label("<person>", box, "human:ann", 1.0, "reviewed")
        file = f"images/{digest}.png"
        split: Split = "train" if index < 8 else "test"
        items.append(Item(digest, file, 160, 120, "cam", index, index / 2, split, (label,)))
    header = Header("a <street>", "detection", ("<person>",), "human")
    write_snapshot(out, header, items, lambda item: files[item.id])
    return out


def test_the_page_shows_what_was_found(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page"
    assert main(["data", "check", str(snapshot), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    report = read_check(out / "check.json")
    assert sorted(path.name for path in out.iterdir()) == ["check.html", "check.json"]
    assert {kind: n for kind, n in report.found.items() if n} == {
        "leak": 1,
        "odd-box": 1,
        "dark": 1,
    }
    assert f"{sum(report.found.values())} to look at in 16 pictures" in said
    assert all(re.search(rf"^ {kind} ", said, re.MULTILINE) for kind in KINDS)
    page = Tags()
    page.feed((out / "check.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert all(link.startswith(("data:image/jpeg;base64,", "#")) for link in page.links)
    assert "a <street>" in page.text
    for finding in report.findings:
        assert finding.text in page.text
        assert WORDS[finding.kind].title in page.text


def test_json_is_the_whole_report(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "data", "check", str(snapshot)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "check/1"
    assert found["found"]["dark"] == 1
    assert "missing-box" in found["skipped"]


def test_another_folder_is_not_replaced(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert main(["data", "check", str(snapshot), "--out", str(tmp_path / "mine")]) == 2
    assert "holds no check.json" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_no_snapshot_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(tmp_path)]) == 3
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
