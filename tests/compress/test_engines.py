"""Engines run the bytes that were hashed, or say in one line why not."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_runtime.contract import Engine, FileRef, Variant, digest
from edgefactory.compress import engines, open_variant
from edgefactory.datasets.errors import InputError, MissingError, TrustError

UInt8 = npt.NDArray[np.uint8]


@pytest.fixture
def variant(detector: bytes, tmp_path: Path) -> Variant:
    (tmp_path / "model.onnx").write_bytes(detector)
    ref = FileRef(sha256=digest(detector), bytes=len(detector))
    return Variant("onnx-fp32", "onnxruntime", "f32", ("cpu",), "model.onnx", {"model.onnx": ref})


def test_a_variant_runs_and_names_what_was_executed(
    variant: Variant, tmp_path: Path, detector: bytes, batch: UInt8
) -> None:
    loaded = open_variant(variant, tmp_path, threads=1)
    outputs = loaded.session.run(batch)
    assert outputs["boxes"].shape == (16, 6, 4)
    assert loaded.file_sha256 == digest(detector)
    assert loaded.files_sha256 == (digest(detector),)
    assert loaded.bytes == len(detector)
    assert loaded.engine_version


def test_a_changed_file_is_refused(variant: Variant, tmp_path: Path, detector: bytes) -> None:
    changed = bytearray(detector)
    changed[len(changed) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(bytes(changed))
    with pytest.raises(TrustError, match="the file was changed; compress again"):
        open_variant(variant, tmp_path, threads=1)


def test_a_file_that_is_not_there_is_named(variant: Variant, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(MissingError, match=r"model\.onnx is not there"):
        open_variant(variant, tmp_path, threads=1)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_what_is_no_model_is_refused_in_one_line(engine: Engine) -> None:
    with pytest.raises(InputError, match="cannot load m") as caught:
        engines.load(engine, {"m": b"no model at all"}, "m", "f32", 1)
    assert "\n" not in str(caught.value)


def test_a_tensorrt_engine_is_not_run_here() -> None:
    with pytest.raises(MissingError, match="need an NVIDIA GPU"):
        engines.load("tensorrt-rtx", {"m": b""}, "m", "int8", 1)


@pytest.mark.component
def test_both_engines_agree_at_any_batch_size(detector: bytes, batch: UInt8) -> None:
    ort, ov = (
        engines.load(engine, {"m": detector}, "m", "f32", 1)
        for engine in ("onnxruntime", "openvino")
    )
    for part in (batch[:1], batch[:3], batch[:1], batch):
        part.flags.writeable = False  # as pictures from Pillow are
        expected, found = ort.run(part), ov.run(part)
        assert set(expected) == set(found)
        np.testing.assert_allclose(
            np.asarray(expected["scores"], np.float32),
            np.asarray(found["scores"], np.float32),
            atol=1e-5,
        )


@pytest.mark.component
def test_outputs_are_not_overwritten_by_the_next_run(detector: bytes, batch: UInt8) -> None:
    session = engines.load("openvino", {"m": detector}, "m", "f32", 1)
    first = np.asarray(session.run(batch[:1])["scores"])
    kept = first.copy()
    session.run(batch[5:6])
    np.testing.assert_array_equal(first, kept)
