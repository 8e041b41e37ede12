"""One of our own releases as a teacher: the variant that fits, its files checked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.datasets.teachers import EngineSettings, open_teacher, parse_teacher

from ...edge_runtime.models import Built, brightness_onnx, build, scene, squares_onnx

MODELS = {"onnx-fp32": squares_onnx(), "openvino-f32": squares_onnx(gain=0.5)}


def released(folder: Path, built: Built) -> Path:
    """`built` as the folder that `release build` writes."""
    (folder / "blobs").mkdir(parents=True)
    (folder / "release.json").write_bytes(built.data)
    for sha256, content in built.blobs.items():
        (folder / "blobs" / sha256).write_bytes(content)
    return folder


def test_a_detector_of_the_engine_that_is_asked_for(tmp_path: Path) -> None:
    built = build(1, MODELS)
    folder = released(tmp_path / "release", built)
    digests = {v.engine: v.files["model.onnx"].sha256 for v in built.release.variants}
    picture = scene((20, 30))
    for engine, score in (("onnxruntime", 1.0), ("openvino", 0.5)):
        settings = msgspec.convert({"engine": engine}, EngineSettings)
        teacher = open_teacher(parse_teacher(f"release:{folder}"), settings)
        assert (teacher.classes, teacher.digest) == (("square",), digests[settings.engine])
        small, large = teacher.predict([picture, picture.repeat(2, axis=0).repeat(2, axis=1)])
        np.testing.assert_allclose(small.boxes[0], [20, 30, 28, 38])
        np.testing.assert_allclose(large.boxes[0], [40, 60, 56, 76])
        np.testing.assert_allclose(small.scores[0], score, atol=0.01)
    assert open_teacher(parse_teacher(f"release:{folder / 'release.json'}", ("box",))).classes == (
        "box",
    )


def test_a_variant_by_its_name(tmp_path: Path) -> None:
    models = {"onnx-a": squares_onnx(gain=0.4), "onnx-b": squares_onnx(gain=0.8)}
    folder = released(tmp_path / "release", build(1, models))
    engine = EngineSettings("onnxruntime")
    for name, score in (("onnx-a", 0.4), ("onnx-b", 0.8)):
        teacher = open_teacher(parse_teacher(f"release:{folder}?variant={name}"), engine)
        (found,) = teacher.predict([scene((20, 30))])
        np.testing.assert_allclose(found.scores[0], score, atol=0.01)
    with pytest.raises(InputError, match=r"no variant onnx-c .* it has onnx-a \(onnxruntime f32\)"):
        open_teacher(parse_teacher(f"release:{folder}?variant=onnx-c"), engine)
    with pytest.raises(InputError, match="no variant for openvino"):
        open_teacher(parse_teacher(f"release:{folder}"))


def test_a_classifier(tmp_path: Path) -> None:
    release = msgspec.structs.replace(
        build(1).release, task="classification", labels=tuple("0123456789")
    )
    release = msgspec.structs.replace(
        release, input=msgspec.structs.replace(release.input, width=8, height=8)
    )
    content = brightness_onnx()
    variant = release.variants[0]
    sha256 = hashlib.sha256(content).hexdigest()
    ref = msgspec.structs.replace(variant.files["model.onnx"], sha256=sha256)
    variant = msgspec.structs.replace(variant, files={"model.onnx": ref})
    release = msgspec.structs.replace(release, variants=(variant,))
    folder = released(tmp_path / "release", Built(release, {sha256: content}))
    teacher = open_teacher(parse_teacher(f"release:{folder}"), EngineSettings("onnxruntime"))
    assert teacher.task == "classification"
    (found,) = teacher.predict([np.full((30, 40, 3), 200, np.uint8)])
    assert found.classes.tolist() == [7]


def test_a_file_that_was_changed_is_not_run(tmp_path: Path) -> None:
    built = build(1)
    folder = released(tmp_path / "release", built)
    blob = folder / "blobs" / built.release.variants[0].files["model.onnx"].sha256
    engine = EngineSettings("onnxruntime")
    blob.write_bytes(squares_onnx(gain=0.1))
    with pytest.raises(TrustError, match="was changed"):
        open_teacher(parse_teacher(f"release:{folder}"), engine)
    blob.unlink()
    with pytest.raises(MissingError, match="is not there"):
        open_teacher(parse_teacher(f"release:{folder}"), engine)
    (folder / "release.json").write_text('{"schema": "release/1", "more": 1}')
    with pytest.raises(InputError, match=r"release\.json"):
        open_teacher(parse_teacher(f"release:{folder}"), engine)
