"""A real endpoint on loopback, and a `Bench` that answers from memory."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from edge_runtime.access import Access
from edge_runtime.bench import Plan
from edge_runtime.bench.server import BenchServer
from edge_runtime.contract import BenchResult, Engine, Host, Precision, digest, read

GOLDEN = Path(__file__).parents[2] / "edge_runtime" / "fixtures" / "bench-1.json"
KNOCK = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's levels and results are not ours to read or change."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def golden() -> BenchResult:
    """A result that settled."""
    return read(GOLDEN, BenchResult)


@pytest.fixture
def box() -> Iterator[BenchServer]:
    """`edge-runtime bench --listen`, in this process."""
    with BenchServer(Access("127.0.0.1", 0, KNOCK), Plan(load_s=20.0)) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@dataclass
class Remembering:
    """Answers like `result`, with the model and the terms that were asked; counts what is asked."""

    result: BenchResult
    where: str = "here"
    asked: list[tuple[bytes, str, str, int]] = field(default_factory=list)

    def host(self) -> Host:
        return self.result.host

    def measure(
        self, model: bytes, engine: Engine, precision: Precision, threads: int
    ) -> BenchResult:
        self.asked.append((model, engine, precision, threads))
        return msgspec.structs.replace(
            self.result,
            file_sha256=digest(model),
            engine=engine,
            engine_version=self.result.host.versions.get(engine, ""),
            precision=precision,
            threads=threads,
        )


@pytest.fixture
def bench(golden: BenchResult) -> Remembering:
    """A box whose answers are known."""
    return Remembering(golden)
