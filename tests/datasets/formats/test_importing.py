"""What every import does: names, times, copies, turned pictures, links, and all or nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgefactory.datasets import load_picture, read_manifest
from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.datasets.formats import FORMS, ImportSettings, counted, import_data_set
from edgefactory.datasets.formats.boxes import far_edge, length
from edgefactory.datasets.formats.names import is_safe, natural

from .making import picture

PICTURES = FORMS["pictures"]


def laid_out(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(2 * number)[0])
    return root


def test_pictures_stand_a_second_apart_in_natural_order_of_their_folder(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "a/f10.jpg", "a/f9.jpg", "b/f1.jpg", "z.jpg")
    settings = ImportSettings(task="classification", classes=("x", "y"))
    import_data_set(PICTURES, root, tmp_path / "out", settings)
    snapshot = read_manifest(tmp_path / "out")
    assert (snapshot.name, snapshot.task, snapshot.classes) == ("in", "classification", ("x", "y"))
    assert [(i.name, i.source, i.captured_at) for i in snapshot.items] == [
        ("a/f9.jpg", "a", 0.0),
        ("a/f10.jpg", "a", 1.0),
        ("b/f1.jpg", "b", 0.0),
        ("z.jpg", "in", 0.0),
    ]


def test_one_picture_and_what_lies_beside_pictures(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "a.jpg", ".trash/b.jpg", "notes.txt", "._a.jpg")
    assert import_data_set(PICTURES, root / "a.jpg", tmp_path / "one").pictures == 1
    assert import_data_set(PICTURES, root, tmp_path / "all").pictures == 1


def test_a_name_says_what_the_file_is_and_an_id_is_no_name(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "plain.jpeg")
    (root / "liar.jpg").write_bytes(picture(1)[0])  # a PNG
    import_data_set(PICTURES, root, tmp_path / "out")
    items = read_manifest(tmp_path / "out").items
    assert [item.name for item in items] == ["liar.jpg.png", "plain.jpeg"]
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / items[1].file.removeprefix("images/")).write_bytes(picture(0)[0])
    import_data_set(PICTURES, bare, tmp_path / "again")
    assert read_manifest(tmp_path / "again").items[0].name is None


def test_the_same_picture_is_kept_once_unless_its_labels_differ(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "cat/a.jpg")
    (root / "cat/b.jpg").write_bytes(picture(0)[0])
    done = import_data_set(FORMS["folders"], root, tmp_path / "out")
    assert (done.pictures, done.counts) == (1, {"pictures there twice": 1})
    (root / "dog").mkdir()
    (root / "dog/c.jpg").write_bytes(picture(0)[0])
    with pytest.raises(InputError, match=r"dog/c\.jpg is the same picture as a\.jpg"):
        import_data_set(FORMS["folders"], root, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


@pytest.mark.parametrize(("size", "said"), [((30, 20), "stored"), ((20, 30), "upright")])
def test_boxes_turn_with_a_picture_that_was_stored_on_its_side(
    tmp_path: Path, size: tuple[int, int], said: str
) -> None:
    """A COCO file that gives the stored size speaks of the stored picture, else of the upright."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[2:7, 3:13] = 255
    tags = Image.Exif()
    tags[274] = 6
    root = tmp_path / "in"
    root.mkdir()
    Image.fromarray(pixels).save(root / "a.png", exif=tags)
    bbox = [3, 2, 10, 5] if said == "stored" else [13, 3, 5, 10]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": size[0], "height": size[1]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox}],
        "categories": [{"id": 1, "name": "x"}],
    }
    (root / "a.json").write_bytes(msgspec.json.encode(document))
    done = import_data_set(FORMS["coco"], root, tmp_path / "out")
    (item,) = read_manifest(tmp_path / "out").items
    x0, y0, x1, y1 = (int(side) for side in item.labels[0].box or ())
    upright = load_picture(tmp_path / "out", item)
    assert upright.shape == (30, 20, 3)
    assert upright[y0:y1, x0:x1].min() == 255
    assert int(upright.sum()) == 255 * 3 * (x1 - x0) * (y1 - y0)
    assert done.counts == {"pictures turned upright": 1}


def test_a_link_out_of_the_folder_is_refused_and_one_inside_followed(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "a.jpg")
    (root / "b.jpg").symlink_to("a.jpg")
    assert import_data_set(PICTURES, root, tmp_path / "out").counts["pictures there twice"] == 1
    (tmp_path / "secret.jpg").write_bytes(picture(2)[0])
    (root / "c.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(InputError, match=r"c\.jpg leads out of"):
        import_data_set(PICTURES, root, tmp_path / "out")
    (root / "c.jpg").unlink()
    (root / "d").symlink_to(root)
    with pytest.raises(InputError, match="d is a link to a folder"):
        import_data_set(PICTURES, root, tmp_path / "out")


@pytest.mark.parametrize("odd", ["pipe", "loop", "dangling"])
def test_what_is_no_file_is_refused(tmp_path: Path, odd: str) -> None:
    root = laid_out(tmp_path / "in", "a.jpg")
    if odd == "pipe":
        os.mkfifo(root / "b.jpg")
    else:
        (root / "b.jpg").symlink_to("b.jpg" if odd == "loop" else "gone.jpg")
    with pytest.raises(EdgefactoryError, match=r"b\.jpg"):
        import_data_set(PICTURES, root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system takes UTF-8 only")
def test_a_name_that_is_no_utf8_is_written_as_text(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "a.jpg")
    raw = os.fsencode(root / "a.jpg")
    os.rename(raw, raw.replace(b"a.jpg", b"caf\xe9.jpg"))  # noqa: PTH104 -- names as bytes
    import_data_set(PICTURES, root, tmp_path / "out")
    (item,) = read_manifest(tmp_path / "out").items
    assert item.name == "caf%E9.jpg"
    assert is_safe(item.name)


def test_an_earlier_snapshot_is_not_touched_by_an_import_that_fails(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "a.jpg", "b.jpg")
    digest = import_data_set(PICTURES, root, tmp_path / "out").digest
    (root / "b.jpg").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"b\.jpg cannot be decoded"):
        import_data_set(PICTURES, root, tmp_path / "out")
    assert len(read_manifest(tmp_path / "out").items) == 2
    (root / "b.jpg").write_bytes(picture(2)[0])
    assert import_data_set(PICTURES, root, tmp_path / "out").digest == digest


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="is not there"):
        import_data_set(PICTURES, tmp_path / "none", tmp_path / "out")


@pytest.mark.parametrize("classes", [("a", "a"), ("",), ("x" * 201,)])
def test_classes_that_no_manifest_holds_are_refused(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    root = laid_out(tmp_path / "in", "a.jpg")
    with pytest.raises(InputError, match="twice, empty, or too long"):
        import_data_set(PICTURES, root, tmp_path / "out", ImportSettings(classes=classes))


@given(st.integers(0, 16_384_000), st.integers(1, 16_384_000))
@settings(deadline=None, max_examples=60)
def test_edges_to_a_thousandth_of_a_pixel_come_back_exactly(start: int, more: int) -> None:
    first, last = start / 1000, (start + more) / 1000
    assert far_edge(first, length(first, last)) == last


@given(st.text(max_size=20), st.text(max_size=20))
@settings(deadline=None, max_examples=60)
def test_any_two_names_have_an_order(one: str, other: str) -> None:
    assert (natural(one) < natural(other)) + (natural(other) < natural(one)) + (one == other) == 1


def test_counts_read_like_a_list() -> None:
    assert counted({"scores": 2, "names": 1}) == "scores (2), names (1)"
