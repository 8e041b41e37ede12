"""`edgefactory compress CHECKPOINT`: what it writes, and how it says no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgefactory.pipelines import main
from edgefactory.training import Recipe

from ..compress.conftest import write_snapshot
from ..compress.finetuning.conftest import write_lively

DETECTOR = Recipe(resolution=(48, 32), width=16, batch=3, threads=1, precision="32")
QUICK = ("--seconds", "0.05", "--targets", "onnx", "--calibration", "4", "--methods", "none")


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_snapshot(tmp_path / "snapshot", "detection")


@pytest.fixture
def checkpoint(snapshot: Path, tmp_path: Path) -> Path:
    return write_lively(tmp_path / "checkpoint", DETECTOR, snapshot)


@pytest.mark.component
def test_a_page_a_document_and_variants_are_written(
    checkpoint: Path, snapshot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fast"
    asked = ["compress", str(checkpoint), "--data", str(snapshot), "--out", str(out), *QUICK]
    assert main(asked) == 0
    told = capfd.readouterr()
    assert "trained/onnx-fp32" in told.out
    assert "faster than FP32" in told.out + told.err
    html = (out / "compression.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org", "")
    found = json.loads((out / "compression.json").read_bytes())
    assert found["schema"] == "compression/1"
    assert (out / "variants" / "variants.json").is_file()


@pytest.mark.component
def test_budgets_that_cannot_be_kept_end_with_four_and_leave_the_page(
    checkpoint: Path, snapshot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fast"
    asked = ["compress", str(checkpoint), "--data", str(snapshot), "--out", str(out), *QUICK]
    assert main([*asked, "--budget", "bytes<=10"]) == 4
    assert "comes nearest with bytes" in capfd.readouterr().err
    assert (out / "compression.html").is_file()
    assert not (out / "variants").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--max-drop", "0.1"], "--max-drop goes with CHECKPOINT"),
        (["model"], "compress CHECKPOINT needs --data SNAP"),
        (["model", "--data", "s", "--out", "o", "--targets", "onxx"], "'onxx' is none of onnx"),
        (["model", "--data", "s", "--out", "o", "--methods", "magic"], "'magic' is none of mixed"),
        (["model", "--data", "s", "--out", "o", "--memory", "0"], "expected MiB, 1 or more"),
        (["model", "--data", "s", "--out", "o", "--max-drop", "7"], "choose one of 0 to 1"),
        (["model", "--data", "s", "--out", "o", "--device", "u"], "belong together"),
        (
            ["model", "--data", "s", "--out", "o", "--budget", "latency_ms<=1@openvino"],
            "leave out what follows @",
        ),
    ],
)
def test_bad_options_are_one_line(
    options: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compress", *options]) == 2
    said = capfd.readouterr().err
    assert line in said
    assert len(said.strip().splitlines()) == 1
