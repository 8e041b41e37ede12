"""What of files × engines × precisions is measured, and what the arithmetic alone would take."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_runtime.contract import Engine, Precision
from edgefactory.compress.bench import Candidate, engines_here, floor_ms
from edgefactory.compress.bench import candidates as in_scratch
from edgefactory.compress.lowering import lower
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.training import macs

from ...datasets.teachers.test_release import released
from ...edge_runtime.models import build, squares_onnx

UInt8 = npt.NDArray[np.uint8]


def candidates(
    paths: list[Path], engines: list[Engine], precisions: list[Precision]
) -> list[Candidate]:
    """Of files, for which nothing is laid out."""
    return in_scratch(paths, engines, precisions, Path("nowhere"))


@pytest.fixture
def plain(tmp_path: Path, detector: bytes) -> Path:
    path = tmp_path / "plain.onnx"
    path.write_bytes(detector)
    return path


@pytest.fixture(scope="module")
def portable(detector: bytes, pictures: list[UInt8]) -> bytes:
    return quantize_portable(detector, pictures)


@pytest.fixture
def small(tmp_path: Path, portable: bytes) -> Path:
    path = tmp_path / "small.onnx"
    path.write_bytes(portable)
    return path


def test_each_file_runs_at_the_precisions_that_it_has(plain: Path, small: Path) -> None:
    found = candidates([plain, small], ["onnxruntime", "openvino"], ["f32", "bf16", "int8"])
    assert found == [
        Candidate(plain, "onnxruntime", "f32"),
        Candidate(plain, "openvino", "f32"),
        Candidate(plain, "openvino", "bf16"),
        Candidate(small, "onnxruntime", "int8"),
        Candidate(small, "openvino", "int8"),
    ]


def test_without_precisions_each_file_has_its_own(plain: Path, small: Path) -> None:
    found = candidates([plain, small], ["onnxruntime"], [])
    assert [one.precision for one in found] == ["f32", "int8"]


def test_openvinos_own_files_are_openvinos(tmp_path: Path) -> None:
    path = tmp_path / "ir.xml"
    path.write_text("<net/>")
    assert candidates([path], ["onnxruntime", "openvino"], []) == [
        Candidate(path, "openvino", "f32")
    ]
    with pytest.raises(InputError, match="cannot be measured as it is on onnxruntime"):
        candidates([path], ["onnxruntime"], [])


def test_a_file_of_which_nothing_is_left_is_named(plain: Path, small: Path) -> None:
    with pytest.raises(InputError, match=r"plain\.onnx is not quantized, so it cannot be measured"):
        candidates([plain], ["onnxruntime"], ["int8", "bf16"])
    with pytest.raises(InputError, match=r"small\.onnx is quantized"):
        candidates([small], ["openvino"], ["f32"])


def test_a_release_is_its_variants_checked_and_laid_out(tmp_path: Path) -> None:
    built = build(1, {"onnx-fp32": squares_onnx(), "openvino-f32": squares_onnx(gain=0.5)})
    folder, scratch = released(tmp_path / "release", built), tmp_path / "scratch"
    found = in_scratch([folder], ["onnxruntime", "openvino"], [], scratch)
    assert [(one.name, one.engine) for one in found] == [
        ("onnx-fp32", "onnxruntime"),
        ("openvino-f32", "openvino"),
    ]
    assert found[1].path.read_bytes() == squares_onnx(gain=0.5)
    with pytest.raises(InputError, match=r"no variant .* it has onnx-fp32 \(onnxruntime, f32\)"):
        in_scratch([folder], ["onnxruntime"], ["int8"], scratch)
    first = built.release.variants[0].files["model.onnx"].sha256
    (folder / "blobs" / first).write_bytes(b"changed")
    with pytest.raises(TrustError):
        in_scratch([folder], ["onnxruntime", "openvino"], [], scratch)


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; expected a model's file"):
        candidates([tmp_path], ["onnxruntime"], [])
    with pytest.raises(MissingError, match=r"gone\.onnx is not there"):
        candidates([tmp_path / "gone.onnx"], ["onnxruntime"], [])
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(InputError, match=r"text\.onnx is not an ONNX model"):
        candidates([tmp_path / "text.onnx"], ["onnxruntime"], [])


def test_a_quantized_graph_computes_what_its_float_original_does(
    plain: Path, small: Path, tmp_path: Path, portable: bytes
) -> None:
    lowered = tmp_path / "lowered.onnx"
    lowered.write_bytes(lower(portable))
    assert macs(small) == macs(lowered) == macs(plain) > 0


def test_the_floor_is_two_operations_a_multiply_accumulate(plain: Path, tmp_path: Path) -> None:
    floor = floor_ms(plain, 100.0)
    assert floor == pytest.approx(2 * macs(plain) / 100e9 * 1e3)
    assert floor_ms(tmp_path / "ir.xml", 100.0) is None
    (tmp_path / "text.onnx").write_text("no model")
    assert floor_ms(tmp_path / "text.onnx", 100.0) is None


def test_the_engines_of_this_environment_are_here() -> None:
    assert engines_here() == ["onnxruntime", "openvino"]
