"""`LocalBench` measures on this machine, and its errors are the factory's."""

from pathlib import Path

import pytest

from edge_runtime.bench.levels import LevelFile
from edge_runtime.contract import digest
from edgefactory.compress.bench import LocalBench
from edgefactory.datasets.errors import InputError

pytestmark = pytest.mark.component


def test_a_model_is_measured_here(detector: bytes, tmp_path: Path) -> None:
    levels = LevelFile(tmp_path / "level.json")
    bench = LocalBench(0.2, levels)
    found = bench.measure(detector, "onnxruntime", "f32", 1)
    assert found.file_sha256 == digest(detector)
    assert found.host == bench.host()
    assert levels.known(1) == found.reference_ms


def test_what_cannot_be_measured_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"model\.onnx is not an ONNX model"):
        LocalBench(0.2).measure(b"no model", "onnxruntime", "f32", 1)
