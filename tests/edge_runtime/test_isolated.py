"""A model in a process of its own: it decides the same, and what ends it ends nothing else."""

import contextlib
import dataclasses
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import children, engines, priority, workers
from edge_runtime.apart import begin_worker
from edge_runtime.contract import Engine, FileRef, Outputs, Variant, decide, digest
from edge_runtime.engines.compiled import MOST, Compiled
from edge_runtime.engines.isolated import IsolatedSession, Source
from edge_runtime.errors import RefusedError
from edge_runtime.regions import Region
from edge_runtime.store import Slot
from edge_runtime.workers import Worker

from .models import brightness_onnx, scene, squares_onnx

pytestmark = pytest.mark.component

PATIENCE_S = 30.0


def _variant(model: bytes, engine: Engine = "onnxruntime") -> Variant:
    files = {"m.onnx": FileRef(digest(model), len(model))}
    return Variant("model", engine, "f32", ("cpu",), "m.onnx", files)


def _session(model: bytes, engine: Engine = "onnxruntime", kept: Path | None = None) -> Source:
    return Source(_variant(model, engine), lambda: {"m.onnx": model}, kept=kept)


def _slot(engine: Engine) -> Slot:
    return Slot(FileRef("0" * 64, 1), "1.0.0", 1, "model", engine, 0.0)


def _of(begun: Sequence[Worker]) -> list[subprocess.Popen[bytes]]:
    return [worker.process for worker in begun]


def _is_gone(process: int) -> bool:
    """Whether it has ended and somebody has waited for it: no zombie is left."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not Path(f"/proc/{process}").exists():
            return True
        time.sleep(0.01)
    return False


def _same(one: Outputs, other: Outputs) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


def test_it_decides_bit_for_bit_as_in_this_process(tmp_path: Path) -> None:
    model = squares_onnx()
    apart = IsolatedSession(_session(model, "openvino", tmp_path))
    here = engines.load(_variant(model, "openvino"), {"m.onnx": model}, 1)
    assert apart.input == here.input
    for count in (1, 3, 1):
        batch = np.stack([scene((8 * n, 8), (40, 30)) for n in range(count)])
        assert _same(apart.run(batch), here.run(batch))
    again = IsolatedSession(_session(model, "openvino", tmp_path))  # from what was kept
    assert len(list(tmp_path.glob("*.blob"))) == 2
    assert _same(again.run(scene((8, 8))[None]), here.run(scene((8, 8))[None]))


def test_a_compiled_model_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    model, batch = squares_onnx(), scene((8, 8))[None]
    expected = IsolatedSession(_session(model, "openvino", tmp_path)).run(batch)
    (blob,) = tmp_path.glob("*.blob")
    data = bytearray(blob.read_bytes())
    data[-100] ^= 0xFF
    blob.write_bytes(data)
    assert _same(IsolatedSession(_session(model, "openvino", tmp_path)).run(batch), expected)
    assert blob.read_bytes() != bytes(data)


def test_only_the_newest_compiled_models_are_kept(tmp_path: Path) -> None:
    kept = Compiled(tmp_path, ())
    for number in range(MOST + 3):
        kept.put(f"{number}", b"compiled")
        os.utime(tmp_path / f"{number}.blob", (number, number))
    assert len(list(tmp_path.iterdir())) == MOST
    assert kept.get("0") is None
    assert kept.get(f"{MOST + 2}") == b"compiled"


def test_a_compiled_model_is_not_kept_where_the_quota_has_no_room(tmp_path: Path) -> None:
    model = squares_onnx()
    source = Source(_variant(model, "openvino"), lambda: {"m.onnx": model}, 1, tmp_path, 1000)
    assert IsolatedSession(source).run(scene((8, 8))[None])
    assert not list(tmp_path.iterdir())


def _may_come_back() -> bool:
    return bool(priority._capabilities() & priority._CAP_SYS_NICE)


@pytest.mark.skipif(not _may_come_back(), reason="a process that yields may not come back here")
def test_a_model_that_loads_lets_requests_go_first_and_then_runs_like_anybody() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    model, seen, others = squares_onnx(), list[int](), _children()

    def read() -> Mapping[str, bytes]:
        (child,) = _children() - others
        seen.append(os.getpriority(os.PRIO_PROCESS, child))
        return {"m.onnx": model}

    session = IsolatedSession(Source(_variant(model, "openvino"), read))
    session.run(scene((8, 8))[None])
    assert seen == [min(19, own + 10)]
    threads = [int(path.name) for path in Path(f"/proc/{session.process}/task").iterdir()]
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {own}


def _children() -> set[int]:
    """The processes that this one has started."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return found


def test_who_could_not_come_back_does_not_yield(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority, "_capabilities", lambda: 0)
    monkeypatch.setattr("resource.getrlimit", lambda _: (0, 0))
    yielded: list[object] = []
    monkeypatch.setattr(os, "setpriority", lambda *asked: yielded.append(asked))
    priority.let_pass(1)
    assert not yielded
    monkeypatch.setattr("resource.getrlimit", lambda _: (20, 20))  # LimitNICE=+0
    priority.let_pass(1)
    assert len(yielded) == 1


def test_what_a_region_begins_with_is_seen_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Region()
    one.fill([b"", b"some", bytes(9000), b"more"])
    other = Region(os.dup(one.handle))
    assert bytes(other.view(9008)) == b"some" + bytes(9000) + b"more"
    monkeypatch.setattr("edge_runtime.regions.MAX_REGION", 9000)
    with pytest.raises(RefusedError, match="more than 9000 bytes"):
        one.fill([b"x", bytes(9000)])
    one.close()
    other.close()


def test_what_is_refused_in_the_worker_is_refused_here_in_one_line() -> None:
    with pytest.raises(RefusedError, match=r"cannot load m\.onnx"):
        IsolatedSession(_session(b"not a model"))
    session = IsolatedSession(_session(squares_onnx()))
    process = session.process
    with pytest.raises(RefusedError, match="cannot run the model"):
        session.run(np.zeros((1, 9, 9, 3), np.uint8))
    with pytest.raises(RefusedError, match="batch of uint8"):
        session.run(np.zeros((1, 48, 64, 3), np.float32))
    assert session.run(scene((8, 8))[None])["scores"].shape == (1, 8)
    assert session.process == process


def test_a_worker_that_dies_costs_nothing_but_time() -> None:
    session = IsolatedSession(_session(squares_onnx()))
    before = session.process
    os.kill(before, signal.SIGKILL)
    outputs = session.run(scene((8, 8))[None])
    assert decide("detection", outputs, 0, 0.9).boxes == ((8.0, 8.0, 16.0, 16.0),)
    assert session.process not in {0, before}


def test_what_cannot_be_read_again_is_not_run_again() -> None:
    read: list[int] = []

    def once() -> Mapping[str, bytes]:
        read.append(1)
        if len(read) > 1:
            raise RefusedError("blocked meanwhile")
        return {"m.onnx": squares_onnx()}

    session = IsolatedSession(Source(_variant(squares_onnx()), once))
    os.kill(session.process, signal.SIGKILL)
    with pytest.raises(RefusedError, match="blocked meanwhile"):
        session.run(scene()[None])
    assert session.process == 0


def test_a_worker_that_hangs_is_ended_and_the_next_request_has_another() -> None:
    source = dataclasses.replace(_session(squares_onnx()), run_s=1.0)
    session = IsolatedSession(source)
    hanging = session.process
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(RefusedError, match="took longer than 1 s"):
        session.run(scene()[None])
    assert _is_gone(hanging)
    assert session.run(scene()[None])["scores"].shape == (1, 8)


def test_a_worker_needs_neither_numpy_nor_openvinos_python_package() -> None:
    code = (
        "import sys, edge_runtime.engines.worker; print({'numpy', 'openvino'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_worker_that_was_begun_ahead_is_the_one_that_loads() -> None:
    begin_worker(_slot("openvino"))
    begun = {process.pid for process in _of(workers._ahead["openvino"])}
    session = IsolatedSession(_session(squares_onnx(), "openvino"))
    assert {session.process} == begun
    another = IsolatedSession(_session(squares_onnx(), "openvino"))
    assert another.process not in {0, session.process}


def test_a_worker_that_was_begun_ahead_and_has_died_is_not_taken() -> None:
    begin_worker(_slot("openvino"))
    (begun,) = _of(workers._ahead["openvino"])
    begun.kill()
    begun.wait(PATIENCE_S)
    session = IsolatedSession(_session(squares_onnx(), "openvino"))
    assert session.process not in {0, begun.pid}
    assert workers._ahead["openvino"] == []


def test_for_what_runs_in_this_process_no_worker_is_begun() -> None:
    before = {engine: len(begun) for engine, begun in workers._ahead.items()}
    begin_worker(_slot("onnxruntime"))
    begin_worker(None)
    assert {engine: len(begun) for engine, begun in workers._ahead.items()} == before


def test_a_worker_goes_with_its_session() -> None:
    session = IsolatedSession(_session(squares_onnx()))
    process = session.process
    handles = len(list(Path("/proc/self/fd").iterdir()))
    del session
    assert _is_gone(process)
    assert len(list(Path("/proc/self/fd").iterdir())) == handles - 4


def test_a_drop_does_not_wait_for_a_process_that_cannot_be_killed() -> None:
    class Hung(subprocess.Popen[bytes]):
        """As one that hangs in the kernel."""

        def kill(self) -> None:
            """Nothing comes of it."""

    with Hung([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        children.end(process, contextlib.ExitStack())
        assert process.returncode is None
        assert Path(f"/proc/{process.pid}").exists()
        os.kill(process.pid, signal.SIGKILL)
        assert _is_gone(process.pid)


def test_a_worker_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from edge_runtime.contract import FileRef, Variant, digest\n"
        "from edge_runtime.engines.isolated import IsolatedSession, Source\n"
        "content = Path(sys.argv[1]).read_bytes()\n"
        "files = {'m.onnx': FileRef(digest(content), len(content))}\n"
        "variant = Variant('m', 'onnxruntime', 'f32', ('cpu',), 'm.onnx', files)\n"
        "held = []\n"  # loaded by a thread that ends, as a daemon does
        "source = Source(variant, lambda: {'m.onnx': content})\n"
        "load = lambda: held.append(IsolatedSession(source))\n"
        "thread = threading.Thread(target=load)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print(held[0].process, flush=True)\n"
        "input()\n"
    )
    model = tmp_path / "m.onnx"
    model.write_bytes(squares_onnx())
    with subprocess.Popen(
        [sys.executable, "-c", code, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        os.kill(process, 0)  # it lives, though the thread that started it has ended
        os.kill(process, signal.SIGTERM)  # meant for the parent, which drains first
        os.kill(process, signal.SIGSTOP)  # not even a worker that is stuck stays
        parent.kill()
    assert _is_gone(process)


def test_threads_may_call_at_once() -> None:
    session = IsolatedSession(_session(brightness_onnx()))
    wrong: list[int] = []

    def ask(level: int) -> None:
        batch = np.full((1, 8, 8, 3), int((level + 0.5) * 25.6), np.uint8)
        for _ in range(50):
            found = decide("classification", session.run(batch), 0, 0.0).labels[0]
            if found != level:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(level,)) for level in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert wrong == []


def test_where_no_process_can_be_started_nothing_is_left_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(children, "start", none)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(RefusedError, match="no process for the engine: Resource temporarily"):
        IsolatedSession(_session(squares_onnx()))
    assert set(Path("/proc/self/fd").iterdir()) == before
