"""What was measured is not measured again; what did not settle, or was measured wrongly, is."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import BenchResult, Engine, Precision
from edgefactory.compress.bench import Bench, CachedBench
from edgefactory.compress.bench.cached import default_cache

from .conftest import Remembering


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_the_same_question_is_asked_once(bench: Remembering, path: Path) -> None:
    cached = CachedBench(bench, path)
    first = cached.measure(b"m", "onnxruntime", "f32", 1)
    assert cached.measure(b"m", "onnxruntime", "f32", 1) == first
    assert CachedBench(bench, path).measure(b"m", "onnxruntime", "f32", 1) == first
    assert len(bench.asked) == 1


@pytest.mark.parametrize(
    ("model", "engine", "precision", "threads"),
    [
        (b"other", "onnxruntime", "f32", 1),
        (b"m", "openvino", "f32", 1),
        (b"m", "onnxruntime", "int8", 1),
        (b"m", "onnxruntime", "f32", 2),
    ],
)
def test_another_question_is_asked(
    bench: Remembering, path: Path, model: bytes, engine: Engine, precision: Precision, threads: int
) -> None:
    cached = CachedBench(bench, path)
    cached.measure(b"m", "onnxruntime", "f32", 1)
    cached.measure(model, engine, precision, threads)
    assert len(bench.asked) == 2


def test_another_box_or_engine_is_another_question(
    bench: Remembering, golden: BenchResult, path: Path
) -> None:
    CachedBench(bench, path).measure(b"m", "onnxruntime", "f32", 1)
    host = golden.host
    others: list[Bench] = [
        Remembering(golden, where="https://box:8900"),
        Remembering(msgspec.structs.replace(golden, host=msgspec.structs.replace(host, cores=64))),
        Remembering(
            msgspec.structs.replace(
                golden, host=msgspec.structs.replace(host, versions={"onnxruntime": "9"})
            )
        ),
    ]
    for other in others:
        CachedBench(other, path).measure(b"m", "onnxruntime", "f32", 1)
        assert isinstance(other, Remembering)
        assert len(other.asked) == 1


def test_what_did_not_settle_is_not_kept(golden: BenchResult, path: Path) -> None:
    busy = Remembering(msgspec.structs.replace(golden, settled=False, reason="the box is busy"))
    cached = CachedBench(busy, path)
    for _ in range(2):
        assert not cached.measure(b"m", "onnxruntime", "f32", 1).settled
    assert len(busy.asked) == 2
    assert not path.exists()


def test_what_was_measured_before_the_box_was_known_quiet_is_measured_again(
    bench: Remembering, golden: BenchResult, path: Path
) -> None:
    slow = Remembering(msgspec.structs.replace(golden, level_ms=1.5 * golden.level_ms))
    CachedBench(slow, path).measure(b"m", "onnxruntime", "f32", 1)
    CachedBench(bench, path).measure(b"other", "onnxruntime", "f32", 1)
    cached = CachedBench(bench, path)
    for _ in range(2):
        assert cached.measure(b"m", "onnxruntime", "f32", 1).level_ms == golden.level_ms
    assert [asked[0] for asked in bench.asked] == [b"other", b"m"]


@pytest.mark.parametrize("rest", [b'{"where": "here", "resu', b"\xff\xfe", b'{"where": 1}\n', b""])
def test_a_line_that_was_cut_off_is_passed_over(
    bench: Remembering, path: Path, rest: bytes
) -> None:
    cached = CachedBench(bench, path)
    cached.measure(b"m", "onnxruntime", "f32", 1)
    with path.open("ab") as file:
        file.write(rest)
    CachedBench(bench, path).measure(b"other", "onnxruntime", "f32", 1)
    again = CachedBench(bench, path)
    for model in (b"m", b"other"):
        again.measure(model, "onnxruntime", "f32", 1)
    assert len(bench.asked) == 2


def _write_many(path: Path, result: BenchResult, number: int) -> None:
    cached = CachedBench(Remembering(result), path)
    for count in range(20):
        cached.measure(f"{number} {count}".encode(), "onnxruntime", "f32", 1)


def test_several_may_write_at_once(golden: BenchResult, path: Path) -> None:
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda number: _write_many(path, golden, number), range(4)))
    lines = [json.loads(line) for line in path.read_bytes().splitlines() if line]
    assert len({line["result"]["file_sha256"] for line in lines}) == 80


def test_what_another_process_measured_meanwhile_is_found(
    bench: Remembering, golden: BenchResult, path: Path
) -> None:
    other = Remembering(golden)
    first, second = CachedBench(bench, path), CachedBench(other, path)
    second.measure(b"x", "onnxruntime", "f32", 1)
    first.measure(b"m", "onnxruntime", "f32", 1)
    second.measure(b"m", "onnxruntime", "f32", 1)
    assert [asked[0] for asked in other.asked] == [b"x"]


def test_it_is_a_bench_of_the_same_box(bench: Remembering, path: Path, tmp_path: Path) -> None:
    cached = CachedBench(bench, path)
    assert (cached.where, cached.host()) == (bench.where, bench.host())
    assert default_cache() == tmp_path / "cache" / "edgefactory" / "bench.jsonl"
