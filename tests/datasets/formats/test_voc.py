"""Pascal VOC as others write it, and XML that wants more than to be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefactory.datasets import Label, Snapshot, read_manifest
from edgefactory.datasets.errors import EdgefactoryError, InputError
from edgefactory.datasets.formats import FORMS, ImportSettings, import_data_set
from edgefactory.datasets.formats.markup import parse_xml

from .making import picture

VOC = FORMS["voc"]
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>7.5</ymax></bndbox>"


def annotation(*objects: str, filename: str = "a.jpg", size: str = "") -> str:
    return (
        '<?xml version="1.0"?><annotation><folder>f</folder>'
        f"<filename>{filename}</filename>{size}{''.join(objects)}</annotation>"
    )


def one(name: str = "cat", box: str = BOX, more: str = "") -> str:
    return f"<object><name>{name}</name>{more}{box}</object>"


def laid_out(root: Path, xml: str, file: str = "Annotations/a.xml", at: str = "") -> Path:
    for name, content in ((file, xml.encode()), (at or "JPEGImages/a.jpg", picture(0)[0])):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def imported(root: Path, path: Path, settings: ImportSettings | None = None) -> Snapshot:
    import_data_set(VOC, path, root / "snapshot", settings)
    return read_manifest(root / "snapshot")


@pytest.mark.parametrize(
    ("file", "at", "filename"),
    [
        ("Annotations/a.xml", "JPEGImages/a.jpg", "a.jpg"),
        ("train/a.xml", "train/a.jpg", "renamed-since.jpg"),
        ("a.xml", "frame.jpg", "frame.jpg"),
    ],
)
def test_the_layouts_that_people_have(tmp_path: Path, file: str, at: str, filename: str) -> None:
    root = laid_out(tmp_path / "in", annotation(one(), filename=filename), file, at)
    (found,) = imported(tmp_path, root).items
    expected = Label("cat", (1.0, 2.0, 11.0, 7.5), "imported:voc", 1.0, "accepted")
    assert found.labels == (expected,)


def test_splits_are_those_of_the_lists(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", annotation(one()))
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/val.txt").write_text("a\n")
    assert imported(tmp_path, root).items[0].split == "val"
    (root / "ImageSets/Main/train.txt").write_text("a\n")
    with pytest.raises(InputError, match="lists a, which is in the split train too"):
        imported(tmp_path, root)


def test_difficult_objects_are_ignored_and_other_marks_counted(tmp_path: Path) -> None:
    more = "<difficult>1</difficult><truncated>1</truncated><part><name>head</name></part>"
    root = laid_out(tmp_path / "in", annotation(one(more=more)))
    (root / "JPEGImages/b.png").write_bytes(picture(1)[0])
    done = import_data_set(VOC, root, tmp_path / "out")
    assert read_manifest(tmp_path / "out").items[0].labels[0].ignore
    assert done.counts == {
        "truncated marks not kept": 1,
        "parts not kept": 1,
        "pictures without an annotation left out": 1,
    }


def test_a_size_of_nothing_is_not_believed(tmp_path: Path) -> None:
    size = "<size><width>0</width><height>0</height><depth>3</depth></size>"
    root = laid_out(tmp_path / "in", annotation(one(), size=size))
    assert len(imported(tmp_path, root).items[0].labels) == 1


WRONG = "<size><width>300</width><height>200</height></size>"


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (annotation(one(box=BOX.replace("11", "1"))), "has no area"),
        (annotation(one(box=BOX.replace("11", "0"))), "has no area"),
        (annotation(one(box=BOX.replace("11", "nan"))), "has no area"),
        (annotation(one(box=BOX.replace("11", "eleven"))), "expected four numbers"),
        (annotation(one(box="")), "expected four numbers"),
        (annotation(one(name="")), "object 1 has no name"),
        (annotation(one(), size=WRONG), r"about \(300, 200\)"),
        ("<annotation><object></annotation>", "is no XML"),
        ("", "is empty"),
        ("{}", "is no XML"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_imported(
    tmp_path: Path, xml: str, says: str
) -> None:
    root = laid_out(tmp_path / "in", xml)
    with pytest.raises(EdgefactoryError, match=says) as caught:
        import_data_set(VOC, root, tmp_path / "out")
    assert "a.xml" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("filename", ["b.jpg", "../b.jpg", "/etc/passwd", ""])
def test_a_picture_that_is_not_there_is_named_or_left_out(tmp_path: Path, filename: str) -> None:
    root = laid_out(tmp_path / "in", annotation(one()))
    (root / "Annotations/b.xml").write_text(annotation(one(), filename=filename))
    with pytest.raises(EdgefactoryError, match=r"b\.xml is about"):
        imported(tmp_path, root)
    assert len(imported(tmp_path, root, ImportSettings(drop_bad=True)).items) == 1


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "declared",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE a [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_before_it_does_anything(declared: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{declared}<a>&l9;</a>'
    with pytest.raises(InputError, match="declares a document type"):
        parse_xml(text.encode(encoding), "a.xml")


def test_an_entity_that_nobody_declared_is_refused() -> None:
    with pytest.raises(InputError, match="undefined entity"):
        parse_xml(b"<a>&l9;</a>", "a.xml")
