"""What happens to a branch, one by one: each is said in a line, and what runs goes on.

Power cuts and disks that fail are in `test_crash_points`, the wire in `test_blobs`, clocks, replays
and captive portals in `test_update` and `test_hostile`, sticks in `test_stick`.
"""

import errno
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime import durable, engines, proof
from edge_runtime.contract import FileRef, Variant, digest
from edge_runtime.contract.decisions import decide
from edge_runtime.errors import (
    ContractError,
    EdgeRuntimeError,
    MissingError,
    RefusedError,
    StorageError,
    TrustError,
)
from edge_runtime.running import active, open_active
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once
from edgefactory.registry import Ban

from .crashing import counted, detector
from .models import HEIGHT, WIDTH, build, squares_onnx
from .publishing import Publisher
from .registering import Registry
from .serving import Handler, Server

pytestmark = pytest.mark.component


def update(state: State) -> str:
    return once(state, Wish("squares"), lambda *_: None, Http(timeout=5)).outcome


def runs(state: State) -> int:
    """The sequence of what is active, once it was loaded and has passed its self-test."""
    found = active(state, "squares")
    open_active(state, found, threads=1)
    return found.slot.sequence


def reason(state: State) -> str:
    return load_journal(state.journal).of("squares").reason


@pytest.fixture
def running(state: State, publisher: Publisher) -> State:
    """A site that runs release 1, while release 2, with another model, is published."""
    publisher.publish(detector(1))
    assert update(state) == "activated"
    publisher.publish(detector(2))
    return state


def test_on_a_read_only_disk_what_runs_goes_on(running: State) -> None:
    def read_only(number: int, name: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with counted(running, read_only):
        with pytest.raises(StorageError, match="the disk is read-only"):
            update(running)
        assert runs(running) == 1
    assert update(running) == "activated"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_that_answers_nothing_but_errors(
    running: State, server: Server, status: int
) -> None:
    for path in ("2.root.json", "timestamp.json"):
        server.answers[f"/metadata/{path}"] = lambda h: h.reply(status, b"no")
    with pytest.raises(MissingError, match=f"the server answers {status}"):
        update(running)
    assert runs(running) == 1
    assert str(status) in reason(running)


def test_a_captive_portal_in_place_of_a_blob(running: State, server: Server) -> None:
    page = {"Content-Type": "text/html"}
    model = detector(2).release.variants[0].files["model.onnx"].sha256
    server.answers[f"/blobs/{model}"] = lambda h: h.reply(200, b"<html>log in", page)
    with pytest.raises(MissingError, match="captive portal"):
        update(running)
    assert runs(running) == 1
    server.answers.clear()
    assert update(running) == "activated"


def test_a_portal_that_does_not_say_that_it_is_html(running: State, server: Server) -> None:
    for path in ("2.root.json", "timestamp.json"):
        server.answers[f"/metadata/{path}"] = lambda h: h.reply(200, b"<html>log in")
    with pytest.raises(TrustError, match="does not verify"):
        update(running)
    assert runs(running) == 1
    server.answers.clear()
    assert update(running) == "activated"


def test_names_that_cannot_be_resolved(running: State) -> None:
    site = msgspec.structs.replace(running.site(), url="http://no-such-host.invalid")
    running.site_file.write_bytes(msgspec.json.encode(site))
    with pytest.raises(MissingError, match="name cannot be resolved"):
        update(running)
    assert runs(running) == 1


def test_a_blob_that_changes_while_it_is_resumed(running: State, server: Server) -> None:
    """The first half is of one file, the second of another: neither is kept nor run."""
    model = detector(2).release.variants[0].files["model.onnx"]
    blob = server.folder / "blobs" / model.sha256
    data = blob.read_bytes()

    def half(handler: Handler) -> None:
        server.answers.clear()
        blob.write_bytes(data[::-1])
        handler.reply(200, data[: len(data) // 2], declared=len(data))

    server.answers[f"/blobs/{model.sha256}"] = half
    with pytest.raises(TrustError, match="changed or damaged on the server"):
        update(running)
    assert runs(running) == 1
    assert list(running.contents.partial.iterdir()) == []
    blob.write_bytes(data)
    assert update(running) == "activated"


def test_a_clock_that_jumps_ahead_during_an_update_and_back(running: State) -> None:
    """A timestamp lives days: a jump beyond them is not taken over into what is trusted."""
    clock = iter([2e9, 2e9 + 60])
    with pytest.raises(EdgeRuntimeError):
        once(running, Wish("squares"), lambda *_: None, Http(5), lambda: next(clock, 1.0))
    assert runs(running) == 1


def test_the_last_good_release_is_mended_when_it_must_take_over_and_is_damaged(
    registry: Registry, site: State
) -> None:
    for sequence in (1, 2):
        registry.publish(detector(sequence))
        assert update(site) == "activated"
    model = detector(1).release.variants[0].files["model.onnx"]
    site.contents.path(model).write_bytes(b"\0" * model.bytes)
    registry.ban(Ban("squares", "2.0.0", "bad", "block"))
    with pytest.raises(RefusedError, match="blocked"):
        update(site)
    assert runs(site) == 1


def test_what_is_active_is_mended_also_where_nothing_is_offered(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(detector(1))
    update(state)
    publisher.publish(detector(2), bound=0)
    model = detector(1).release.variants[0].files["model.onnx"]
    state.contents.path(model).unlink()
    assert update(state) == "not-in-rollout"
    assert runs(state) == 1


def test_the_bootstrap_swapped_on_disk(running: State, tmp_path: Path) -> None:
    running.root_file.write_bytes(Publisher(tmp_path / "another").root)
    with pytest.raises(TrustError, match="is not the root this site was enrolled with"):
        update(running)
    assert runs(running) == 1


def test_a_file_swapped_after_it_was_verified_is_not_what_is_loaded(
    running: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verified and loaded are the same bytes in memory, whatever the disk says a moment later."""
    found = active(running, "squares")
    place = running.contents.path(found.variant.files["model.onnx"])
    good = place.read_bytes()
    evil = squares_onnx(gain=0.0)
    read = durable.read

    def swapping(path: Path, limit: int, what: str) -> bytes:
        data = read(path, limit, what)
        if path == place:
            place.write_bytes(evil)
        return data

    monkeypatch.setattr(durable, "read", swapping)
    open_active(running, found, threads=1)
    assert place.read_bytes() == evil
    with pytest.raises(StorageError, match="damaged on disk"):
        open_active(running, found, threads=1)
    place.write_bytes(good)


def constant(scores: object, shape: tuple[int, ...]) -> bytes:
    """A graph in the contract's names whose scores are always these."""
    values: dict[str, npt.NDArray[np.generic]] = {
        "boxes": np.zeros((1, 2, 4), np.float32),
        "scores": np.broadcast_to(np.asarray(scores, np.float32), shape),
        "labels": np.zeros((1, 2), np.int64),
    }
    nodes = [helper.make_node("Identity", [f"{name}_"], [name]) for name in values]
    tensors = [onnx.numpy_helper.from_array(np.array(v), f"{n}_") for n, v in values.items()]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])
    outputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in values.items()
    ]
    graph = helper.make_graph(nodes, "constant", [image], outputs, tensors)
    opset = [helper.make_opsetid("", 13)]
    data: bytes = onnx.helper.make_model(
        graph, opset_imports=opset, ir_version=8
    ).SerializeToString()
    return data


@pytest.mark.parametrize(
    ("scores", "shape", "says"),
    [
        (float("nan"), (1, 2), "not finite"),
        (0.5, (1, 3), "expected boxes"),
        (0.5, (1,), "expected boxes"),
        (0.5, (1, 2, 1), "expected boxes"),
    ],
    ids=["nan", "longer", "flat", "deeper"],
)
def test_a_model_that_answers_nonsense_is_refused_and_the_last_good_one_runs(
    running: State, publisher: Publisher, scores: float, shape: tuple[int, ...], says: str
) -> None:
    wrong = constant(scores, shape)
    good = build(3)
    variant = good.release.variants[0]
    ref = FileRef(digest(wrong), len(wrong))
    broken = msgspec.structs.replace(variant, files={"model.onnx": ref})
    good.release = msgspec.structs.replace(good.release, variants=(broken,))
    good.blobs[ref.sha256] = wrong
    publisher.publish(good)
    with pytest.raises(RefusedError, match=says):
        update(running)
    assert runs(running) == 1


@pytest.mark.parametrize(
    "outputs",
    [
        {"boxes": np.zeros((1, 2, 4)), "scores": np.array([0.5]), "labels": np.zeros((1, 2))},
        {"boxes": np.zeros((1, 2, 4)), "scores": np.array([["a", "b"]]), "labels": [[0, 0]]},
        {"boxes": np.zeros(()), "scores": np.zeros(()), "labels": np.zeros(())},
    ],
)
def test_outputs_of_any_kind_are_an_error_in_a_line(
    outputs: dict[str, npt.NDArray[np.generic]],
) -> None:
    with pytest.raises(ContractError):
        decide("detection", outputs, 0, 0.5)
    with pytest.raises(ContractError):
        decide("classification", {"probabilities": np.zeros((1, 0))}, 0, 0.5)


LOADING = """
import pathlib, resource, sys
from edge_runtime import proof
from edge_runtime.contract import Variant, digest, FileRef
from edge_runtime.engines import onnxruntime_c, ort
from edge_runtime.errors import RefusedError
from edge_runtime.store import Contents
onnxruntime_c.prepare()
folder = pathlib.Path(sys.argv[1])
contents = Contents(folder / "blobs", folder / "partial")
name, size = sys.argv[2], int(sys.argv[3])
variant = Variant("big", "onnxruntime", "f32", ("cpu",), "m", {"m": FileRef(name, size)})
used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + size * int(sys.argv[4]) // 100,) * 2)
try:
    proof.open_variant(variant, contents, 1)
except RefusedError as error:
    print(f"refused: {error}")
else:
    print("loaded")
"""


@pytest.mark.parametrize(("percent", "says"), [(50, "refused"), (150, "refused"), (900, "loaded")])
def test_a_model_that_does_not_fit_in_memory_is_refused_and_the_process_lives(
    tmp_path: Path, percent: int, says: str
) -> None:
    from edge_runtime.store import Contents

    weights = onnx.numpy_helper.from_array(np.ones((16, 2**20), np.float32), "weights")
    model = onnx.load_from_string(squares_onnx())
    model.graph.initializer.append(weights)
    model.graph.node.append(helper.make_node("ReduceSum", ["weights"], ["sum"], keepdims=0))
    model.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, []))
    contents = Contents(tmp_path / "blobs", tmp_path / "partial")
    contents.prepare()
    ref = contents.put(model.SerializeToString())
    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(tmp_path), ref.sha256, str(ref.bytes), str(percent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith(says), done.stdout
    assert done.stdout.count("\n") == 1


def test_a_variant_that_runs_out_of_memory_is_one_that_another_may_replace(
    monkeypatch: pytest.MonkeyPatch, running: State
) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError

    found = active(running, "squares")
    monkeypatch.setattr(engines, "load", greedy)
    variant: Variant = found.variant
    with pytest.raises(RefusedError, match="needs more memory than this box gives it"):
        proof.open_variant(variant, running.contents, 1)
