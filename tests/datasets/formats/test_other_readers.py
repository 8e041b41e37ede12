"""What goes out is read by readers that are not ours, as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefactory.datasets.formats import FORMS, export_data_set

from .making import header, item, label, put

pytestmark = pytest.mark.component


def test_torchvision_reads_the_voc_export(tmp_path: Path) -> None:
    from torchvision.datasets import VOCDetection

    box = label("car", (1.0, 2.0, 11.0, 7.5))
    put(tmp_path / "s", header(), item(0, box), item(2, name="a/b.jpg", split="val"))
    out = tmp_path / "VOCdevkit" / "VOC2012"
    export_data_set(("voc", FORMS["voc"]), tmp_path / "s", out)
    train, val = (VOCDetection(str(tmp_path), image_set=split) for split in ("train", "val"))
    image, target = train[0]
    (found,) = target["annotation"]["object"]
    assert (found["name"], found["difficult"]) == ("car", "0")
    assert found["bndbox"] == {"xmin": "1.0", "ymin": "2.0", "xmax": "11.0", "ymax": "7.5"}
    assert image.size == (30, 20)
    assert (len(train), len(val)) == (1, 1)
    assert val[0][1]["annotation"]["filename"] == "a/b.jpg"


def test_torchvision_reads_the_class_folders(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    head = header("classification", ("cat", "dog"))
    put(tmp_path / "s", head, item(0, label("dog", None)), item(2, label("cat", None)))
    export_data_set(("folders", FORMS["folders"]), tmp_path / "s", tmp_path / "out")
    found = ImageFolder(str(tmp_path / "out" / "train"))
    assert found.classes == ["cat", "dog"]
    assert sorted(number for _, number in found.samples) == [0, 1]
