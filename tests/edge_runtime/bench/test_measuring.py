"""Real small models on both engines; and models that are broken, hang, hoard or crash."""

import sys
from pathlib import Path

import pytest

from edge_runtime.bench import Plan, Subject, child, measure, measure_one, subject_at
from edge_runtime.bench.clocks import processor_clock_is_fine
from edge_runtime.contract import BenchResult, Engine, Precision, decode, digest, encode
from edge_runtime.errors import InputError, MissingError, RefusedError
from edge_runtime.machine import usable_cores

from ..models import squares_onnx
from .graphs import (
    endless_onnx,
    external_onnx,
    float_input_onnx,
    free_size_onnx,
    hungry_onnx,
    quantized_onnx,
)

pytestmark = pytest.mark.component

SHORT = Plan(seconds=0.2)


def subject(
    folder: Path, content: bytes, engine: Engine = "onnxruntime", precision: Precision | None = None
) -> Subject:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return subject_at(path, engine, precision)


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


def test_a_result_says_what_was_executed_where_and_how_long_it_took(tmp_path: Path) -> None:
    content = squares_onnx()
    found = measure_one(subject(tmp_path, content), SHORT, silent)
    assert found.file_sha256 == digest(content)
    assert (found.files_sha256, found.bytes) == ((digest(content),), len(content))
    assert (found.engine, found.precision, found.threads) == ("onnxruntime", "f32", 1)
    assert found.engine_version == found.host.versions["onnxruntime"]
    assert found.input == (1, 48, 64, 3)
    assert found.latency_ms <= found.latency_p99_ms
    assert found.clock == ("processor" if processor_clock_is_fine() else "wall")
    assert found.calls >= found.blocks >= 1
    assert found.memory_bytes > 20e6
    assert found.peak_gflops > 0.1
    assert found.settled == (found.reason == "")
    assert decode(encode(found), BenchResult, "bench") == found


def test_engines_and_precisions_take_turns_and_one_failure_spares_the_others(
    tmp_path: Path,
) -> None:
    content = squares_onnx()
    subjects = [
        subject(tmp_path, content, "openvino", "f32"),
        subject(tmp_path, content, "onnxruntime", "bf16"),
        subject(tmp_path, content, "openvino", "bf16"),
    ]
    first, second, third = measure(subjects, SHORT, silent)
    assert isinstance(first, BenchResult)
    assert isinstance(third, BenchResult)
    assert (first.precision, third.precision) == ("f32", "bf16")
    assert first.blocks == third.blocks
    assert isinstance(second, InputError)
    assert "as it is written" in str(second)


def test_several_threads_are_timed_by_the_wall(tmp_path: Path) -> None:
    content, plan = squares_onnx(), Plan(threads=2, seconds=0.2)
    if usable_cores() < 2:
        with pytest.raises(InputError, match="2 threads on 1 cores"):
            measure_one(subject(tmp_path, content), plan, silent)
        return
    assert measure_one(subject(tmp_path, content), plan, silent).clock == "wall"


def test_an_ir_of_two_files_is_measured_whole(tmp_path: Path) -> None:
    import openvino

    path = tmp_path / "model.xml"
    openvino.save_model(openvino.Core().read_model(squares_onnx()), path)
    found = measure_one(subject_at(path, "openvino"), SHORT, silent)
    assert found.bytes == path.stat().st_size + path.with_suffix(".bin").stat().st_size
    assert len(found.files_sha256) == 2


def test_a_quantized_graph_is_measured_as_int8(tmp_path: Path) -> None:
    assert measure_one(subject(tmp_path, quantized_onnx()), SHORT, silent).precision == "int8"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no model", r"model\.onnx is not an ONNX model"),
        (squares_onnx()[:-20], r"is not an ONNX model|cannot load model\.onnx"),
        (external_onnx(), "keeps weights in other files"),
        (free_size_onnx(), r"takes uint8 \[free, 48, free, 3\]; expected"),
        (float_input_onnx(), r"takes float32 \[1, 8, 8, 3\]; expected uint8"),
        (hungry_onnx(), "cannot run the model|MiB that it may use"),
    ],
    ids=["text", "cut", "external", "free", "float", "hungry"],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(RefusedError, match=says) as caught:
        measure_one(subject(tmp_path, content), SHORT, silent)
    assert "\n" not in str(caught.value)


def test_a_model_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="loading the model took longer than 3 s"):
        measure_one(subject(tmp_path, endless_onnx()), Plan(seconds=0.2, load_s=3.0), silent)


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("import sys; sys.stdin.close(); sys.exit(7)", "ended with exit code 7"),
    ],
)
def test_an_engine_that_crashes_takes_nobody_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, fate: str
) -> None:
    monkeypatch.setattr(child, "COMMAND", (sys.executable, "-c", code))
    with pytest.raises(RefusedError, match=f"the engine {fate} while loading the model"):
        measure_one(subject(tmp_path, squares_onnx()), SHORT, silent)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"gone\.onnx does not exist"):
        subject_at(tmp_path / "gone.onnx", "onnxruntime")
    (tmp_path / "ir.xml").write_text("<net/>")
    with pytest.raises(MissingError, match=r"ir\.bin does not exist"):
        subject_at(tmp_path / "ir.xml", "openvino")
    with pytest.raises(InputError, match="onnxruntime takes ONNX"):
        subject_at(tmp_path / "ir.xml", "onnxruntime")
    with pytest.raises(InputError, match="is not a file of at most"):
        subject_at(tmp_path, "onnxruntime")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    measure_one(subject(tmp_path, squares_onnx()), Plan(seconds=0.1, scratch=scratch), silent)
    assert list(scratch.iterdir()) == []
