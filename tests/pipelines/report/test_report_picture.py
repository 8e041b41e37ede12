"""The README's picture: taken by a real browser where there is one."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.report import build_report, render_picture
from edgefactory.pipelines.report.screenshot import BROWSERS, MOST_BYTES


def test_without_a_page_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="edgefactory report"):
        render_picture(tmp_path / "report.html", tmp_path / "demo.png")


def test_without_a_browser_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "report.html").write_text("<!doctype html>")
    with pytest.raises(MissingError, match="chromium"):
        render_picture(tmp_path / "report.html", tmp_path / "demo.png")


@pytest.mark.component
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium browser is installed")
def test_the_picture_shows_the_page_and_is_small(finished: Path, tmp_path: Path) -> None:
    page = finished / "report.html"
    build_report(finished, page, finished / "summary.json")
    render_picture(page, tmp_path / "demo.png")
    assert (tmp_path / "demo.png").stat().st_size <= MOST_BYTES
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.size == (1200, 700)
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 16
