"""`edgefactory tune` on the command line: killed, taken up again, and what it leaves behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.access import Access
from edge_runtime.bench.server import BenchServer
from edge_runtime.contract import file_digest
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Label, Split, read_document
from edgefactory.pipelines import main
from edgefactory.pipelines.commands.tune import parse_time
from edgefactory.training import load_checkpoint
from edgefactory.training.tuning import Tune

EDGEFACTORY = Path(sys.executable).with_name("edgefactory")


def _item(number: int) -> tuple[Item, bytes]:
    chance = np.random.default_rng(number)
    low, high = ((150, 250), (0, 100))[number % 2]
    buffer = io.BytesIO()
    Image.fromarray(chance.integers(low, high, (16, 16, 3), dtype=np.uint8)).save(buffer, "PNG")
    key = hashlib.sha256(buffer.getvalue()).hexdigest()
    split: Split = ("train", "train", "train", "val", "val", "test")[number // 2 % 6]
    label = Label(("light", "dark")[number % 2], None, "imported:test", 1.0, "accepted")
    item = Item(key, f"images/{key}.png", 16, 16, "day", None, float(number), split, (label,))
    return item, buffer.getvalue()


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Sixty noisy pictures, light and dark."""
    made = [_item(number) for number in range(60)]
    contents = {item.id: content for item, content in made}
    header = Header("light", "classification", ("dark", "light"), "imported")
    write_snapshot(tmp_path / "snap", header, [i for i, _ in made], lambda i: contents[i.id])
    return tmp_path / "snap"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """Two architectures and a learning rate."""
    path = tmp_path / "space.yaml"
    path.write_text("width: [16, 32]\nlearning_rate: [0.001, 0.01]\n")
    return path


def _arguments(snapshot: Path, space: Path, out: Path) -> list[str]:
    fixed = ("epochs=6", "batch=8", "threads=1", "depth=1", "resolution=[16, 16]")
    keys = ("weight_decay=0.01", "ema=0.8", *(f"augment.{k}=0" for k in ("shift", "scale", "mask")))
    sets = [word for key in (*fixed, *keys, "augment.brightness=0") for word in ("--set", key)]
    budgets = ("latency_ms<=50", "bytes<=200kB", "latency_ms<=50@openvino:int8")
    asked = [word for budget in budgets for word in ("--budget", budget)]
    return [
        *("tune", str(snapshot), "--out", str(out), "--space", str(space)),
        *(*asked, *sets, "--time", "10m", "--trials", "4"),
    ]


@pytest.mark.component
def test_it_is_killed_and_goes_on_and_ships_what_keeps_the_budgets(
    snapshot: Path, space: Path, tmp_path: Path, cache: Path
) -> None:
    out = tmp_path / "out"
    command = [str(EDGEFACTORY), *_arguments(snapshot, space, out)]
    journal = out / "search" / "journal.jsonl"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while _count(journal, "climb") < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = _count(journal, "climb")
    assert before >= 2
    assert not (out / "tune.json").exists()

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    priced = [str(line["architecture"]) for line in _lines(journal) if _is(line, "priced")]
    assert len(priced) == len(set(priced)) == 2
    climbs = [(line["number"], line["epochs"]) for line in _lines(journal) if _is(line, "climb")]
    assert len(climbs) == len(set(climbs)) > before
    found = read_document(out / "tune.json", Tune)
    assert all(check.holds for check in found.winner.checks)
    assert len(found.winner.checks) == 4  # bytes hold for both forms
    assert {str(file.form) for file in found.winner.files} == {
        "onnxruntime:f32",
        "openvino:int8",
    }
    for file in found.winner.files:
        assert file_digest(out / file.file) == file.sha256
        assert file.figures["test"]["accuracy"].value == 1.0
    assert load_checkpoint(out / "checkpoint").sha256 == found.winner.checkpoint_sha256
    assert found.winner.recipe.width == 16  # 32 is over bytes<=200kB
    assert [one.name for one in found.dropped] == ["16x16, width 32, depth 1"]
    assert "Accuracy 1.000 on val within all 4 budgets" in done.stdout
    assert "https://" not in (out / "tune.html").read_text()


def _lines(journal: Path) -> list[dict[str, object]]:
    text = journal.read_text() if journal.is_file() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def _is(line: dict[str, object], kind: str) -> bool:
    return line["type"] == kind


def _count(journal: Path, kind: str) -> int:
    return sum(_is(line, kind) for line in _lines(journal))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1h", 3600), (" 2m ", 120)]
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (["--time", "soon"], "--time 'soon'; expected up to 30 days, as 90s, 20m or 1h30m"),
        (["--time", "0s"], "--time '0s'"),
        (["--budget", "latency<=4"], "did you mean 'latency_ms'"),
        (["--set", "epochs"], "--set epochs: expected KEY=VALUE"),
        (["--set", "epoch=3"], "did you mean 'epochs'"),
        (["--trials", "0"], "must be at least 1"),
        (["--seed", "-1"], "--seed not below 0"),
        (["--device", "https://box:1"], "--device and --token-file belong together"),
        (["--address", "auto"], "--address is for --executor ray"),
        (["--executor", "ray"], "pip install 'edgefactory[ray]'"),
        (["--recipe", "nowhere.yaml"], "nowhere.yaml"),
        (["--maximize", "ap50"], "--maximize 'ap50' is no figure of classification"),
    ],
)
def test_what_is_wrong_is_one_line(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: list[str], says: str
) -> None:
    code = main(["tune", str(snapshot), "--out", str(tmp_path / "out"), "--time", "1m", *other])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert code in (2, 3)
    assert says in said
    assert not (tmp_path / "out" / "tune.json").exists()


@pytest.mark.component
def test_a_box_that_refuses_the_token_is_heard_before_anything_is_tried(
    snapshot: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text("another-token-altogether")
    with BenchServer(Access("127.0.0.1", 0, "a-token-of-some-length")) as box:
        thread = threading.Thread(target=box.serve_forever, args=(0.01,))
        thread.start()
        there = ["--device", box.url, "--token-file", str(token), "--budget", "latency_ms<=4"]
        out = tmp_path / "out"
        code = main(["tune", str(snapshot), "--out", str(out), "--time", "1m", *there])
        box.shutdown()
        thread.join()
    assert code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"edgefactory: {box.url} refuses the token")
    assert not out.exists()
