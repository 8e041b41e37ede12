"""A teacher's one-line description: read, refused, carried to a worker."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teachers import (
    KINDS,
    TeacherSpec,
    Views,
    open_teacher,
    open_teachers,
    parse_teacher,
)


def test_a_description_is_read() -> None:
    spec = parse_teacher(
        "onnx:models/a:b.onnx?size=640x384&mean=imagenet&tile=0.5&whole=false&mirror=true"
        "&scales=1/1.5&weight=2&min_score=0.2",
        ("car", "bus"),
    )
    assert spec == TeacherSpec(
        "onnx",
        "models/a:b.onnx",
        ("car", "bus"),
        {"size": "640x384", "mean": "imagenet"},
        Views(0.5, 0.5, whole=False, mirror=True, scales=(1.0, 1.5)),
        weight=2.0,
        min_score=0.2,
    )
    assert parse_teacher("person") == TeacherSpec("person")


def test_torchvision_names_its_architecture() -> None:
    spec = parse_teacher("torchvision:resnet18:w.safetensors")
    assert (spec.file, spec.options) == ("w.safetensors", {"name": "resnet18"})


@pytest.mark.parametrize("text", ["person?tile=0.5", "torchvision:resnet18:w?device=cpu"])
def test_a_spec_goes_to_a_worker_and_into_a_file(text: str) -> None:
    spec = parse_teacher(text, ("a", "b"))
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - our own bytes
    assert msgspec.json.decode(msgspec.json.encode(spec), type=TeacherSpec) == spec


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yolo:x.onnx", "the kind is one of person, face"),
        ("onnx", "expected a file, as `onnx:FILE`"),
        ("torchvision:resnet18", "torchvision:NAME:FILE"),
        ("person?tile", "key=value"),
        ("person?tile=9", "tile"),
        ("person?scales=1/x", "scales"),
        ("person?weight=0", "weight"),
    ],
)
def test_what_is_no_description_is_refused_in_a_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match="teacher") as caught:
        parse_teacher(text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_there_is_named(kind: str) -> None:
    name = "resnet18:" if kind == "torchvision" else ""
    with pytest.raises(MissingError, match=r"none\.onnx is not there"):
        open_teacher(parse_teacher(f"{kind}:{name}none.onnx"))


def test_a_spec_without_the_file_that_it_needs_is_refused() -> None:
    with pytest.raises(InputError, match="expected a file"):
        open_teacher(TeacherSpec("release"))


def test_no_teacher_is_refused() -> None:
    with pytest.raises(InputError, match="no teacher"):
        open_teachers([])


def test_the_documented_descriptions_are_read() -> None:
    page = Path(__file__).parents[3] / "docs" / "teachers.md"
    table = page.read_text().split("| description |")[1].split("\n\n")[0]
    texts = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert sorted(parse_teacher(text).kind for text in texts) == sorted(KINDS)


def test_importing_teachers_loads_nothing_heavy() -> None:
    heavy = ["onnx", "onnxruntime", "openvino", "scipy", "torch", "torchvision", "transformers"]
    program = "import sys, edgefactory.datasets.teachers; "
    program += f"print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
