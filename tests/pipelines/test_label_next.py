"""`edgefactory label next`: a table for people, a file for `label push`, JSON for machines."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefactory.datasets import Header, Item, Label
from edgefactory.datasets.asking import read_questions
from edgefactory.datasets.bounds import calibration_order
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.pipelines import main


@pytest.fixture
def snapshot(tmp_path: Path) -> tuple[Path, list[str]]:
    """Four pictures, of which a machine is less and less sure, and their ids."""
    contents: dict[str, bytes] = {}
    for seed in range(4):
        coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize((32, 32), Image.Resampling.NEAREST).save(buffer, "PNG")
        contents[hashlib.sha256(buffer.getvalue()).hexdigest()] = buffer.getvalue()
    items = []
    for place, digest in enumerate(contents):
        label = Label("cat", None, "teacher:one", 1 - 0.2 * place, "accepted")
        file, name = f"images/{digest}.png", f"shelf/{place}.png"
        items.append(Item(digest, file, 32, 32, "shelf", None, 0.0, "train", (label,), name))
    header = Header("pool", "classification", ("cat", "dog"), "human", None)
    write_snapshot(tmp_path / "snap", header, items, lambda item: contents[item.id])
    return tmp_path / "snap", list(contents)


def test_the_list_is_shown_and_written(
    snapshot: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ids = snapshot
    out = tmp_path / "next.json"
    assert main(["label", "next", str(folder), "--count", "2", "--out", str(out)]) == 0
    written = read_questions(out)
    assert [question.id for question in written.asked] == [ids[3], ids[2]]
    first, second, summary = capsys.readouterr().out.splitlines()
    assert first.split() == ["1", ids[3][:12], "shelf/3.png", "uncertain"]
    assert second.split() == ["2", ids[2][:12], "shelf/2.png", "uncertain"]
    assert summary.startswith("2 pictures to look at, compared by grey levels")
    assert summary.endswith(str(out))


def test_machines_get_the_same_as_json(
    snapshot: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ids = snapshot
    assert main(["label", "next", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "next/1"
    assert {question["id"] for question in found["asked"]} == set(ids)


def test_a_calibration_alone_is_random_pictures_alone(
    snapshot: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ids = snapshot
    assert main(["label", "next", str(folder), "--calibration", "3", "--seed", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["asked"]
    assert [question["id"] for question in found] == calibration_order(ids, 2)[:3]
    assert [question["why"] for question in found] == [["calibration"]] * 3


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--count", "0"], 2, "--count"),
        (["--embedding", "resnet18"], 2, "NAME:FILE"),
        (["--embedding", "resnet18:none.safetensors"], 3, "none.safetensors"),
        (["--teacher", "crystal-ball"], 2, "crystal-ball"),
    ],
)
def test_what_cannot_be_done_costs_one_line(
    snapshot: tuple[Path, list[str]],
    options: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["label", "next", str(snapshot[0]), *options]) == code
    told = capsys.readouterr().err.strip()
    assert says in told
    assert len(told.splitlines()) == 1


def test_a_folder_without_a_snapshot_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", "next", str(tmp_path / "none")]) == 3
    assert "none" in capsys.readouterr().err
