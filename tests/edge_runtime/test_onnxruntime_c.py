"""ONNX Runtime by its C library decides as its Python package does, and leaves Python's lock."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime import engines
from edge_runtime.contract import FileRef, Variant
from edge_runtime.engines import InputTensor, onnxruntime_c
from edge_runtime.errors import RefusedError

from .models import scene, squares_onnx

pytestmark = pytest.mark.component

SIZE = (1, 4, 6, 3)
PICTURE = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
KINDS = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
    "int32": TensorProto.INT32,
    "uint32": TensorProto.UINT32,
    "int64": TensorProto.INT64,
    "uint64": TensorProto.UINT64,
}


def _onnx(
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: npt.NDArray[np.float32] | None = None,
) -> bytes:
    """A graph from `image` (uint8 [N,4,6,3]) to `outputs`."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *SIZE[1:]])
    held = [] if weights is None else [onnx.numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "graph", [image], outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def _load(model: bytes) -> engines.Session:
    ref = FileRef("0" * 64, len(model))
    variant = Variant("v", "onnxruntime", "f32", ("cpu",), "m.onnx", {"m.onnx": ref})
    return engines.load(variant, {"m.onnx": model}, 1)


def _large() -> bytes:
    """A graph with 64 MB of weights that are folded and copied while it is loaded."""
    nodes = [
        helper.make_node("Transpose", ["weights"], ["turned"]),
        helper.make_node("ReduceSum", ["turned"], ["sum"], keepdims=0),
        helper.make_node("Identity", ["image"], ["same"]),
    ]
    outputs = [
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("same", TensorProto.UINT8, None),
    ]
    return _onnx(nodes, outputs, np.ones((16, 2**20), np.float32))


def test_outputs_of_every_kind_and_shape_are_those_of_the_package() -> None:
    nodes = [helper.make_node("Cast", ["image"], [name], to=to) for name, to in KINDS.items()]
    nodes.append(helper.make_node("ReduceMax", ["int64"], ["scalar"], keepdims=0))
    nodes.append(helper.make_node("Greater", ["float32", "most"], ["none"]))
    nodes.insert(0, helper.make_node("Constant", [], ["most"], value_float=300.0))
    nodes.append(helper.make_node("NonZero", ["none"], ["empty"]))
    named = {**KINDS, "scalar": TensorProto.INT64, "empty": TensorProto.INT64}
    model = _onnx(nodes, [helper.make_tensor_value_info(n, k, None) for n, k in named.items()])
    session = _load(model)
    assert session.input == InputTensor("uint8", (None, 4, 6, 3))
    package = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for batch in (PICTURE, np.concatenate([PICTURE, PICTURE[:, ::-1]])):
        ours = session.run(batch)
        for name, theirs in zip(named, package.run(list(named), {"image": batch}), strict=True):
            assert (ours[name].dtype, ours[name].shape) == (theirs.dtype, theirs.shape)
            assert np.array_equal(ours[name], theirs)
    assert ours["empty"].shape == (4, 0)


def test_a_batch_that_does_not_lie_in_a_row_is_read_as_it_is() -> None:
    session = _load(squares_onnx())
    picture = scene((8, 8))[None]
    turned = np.asfortranarray(picture)
    assert not turned.flags.c_contiguous
    assert np.array_equal(session.run(turned)["boxes"], session.run(picture)["boxes"])


def test_what_was_given_stays_when_the_next_one_runs() -> None:
    session = _load(squares_onnx())
    first = session.run(scene((8, 8))[None])["boxes"]
    kept = first.copy()
    session.run(scene((40, 30))[None])
    assert np.array_equal(first, kept)
    first[:] = 0  # and belongs to whoever asked


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (np.zeros((1, 4, 6, 4), np.uint8), "Got: 4 Expected: 3"),
        (np.zeros((4, 6, 3), np.uint8), "Invalid rank"),
        (np.zeros(SIZE, np.float32), "on float32, but on uint8"),
    ],
)
def test_what_the_graph_does_not_take_is_refused(batch: npt.NDArray[np.uint8], says: str) -> None:
    session = _load(_onnx([helper.make_node("Identity", ["image"], ["same"])], [_same()]))
    with pytest.raises(RefusedError, match=says):
        session.run(batch)
    assert np.array_equal(session.run(PICTURE)["same"], PICTURE)


def _same() -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("same", TensorProto.UINT8, ["N", *SIZE[1:]])


def _texts() -> bytes:
    node = helper.make_node("Cast", ["image"], ["text"], to=TensorProto.STRING)
    return _onnx([node], [helper.make_tensor_value_info("text", TensorProto.STRING, None)])


def _sequence() -> bytes:
    node = helper.make_node("SequenceConstruct", ["image"], ["list"])
    return _onnx([node], [helper.make_tensor_sequence_value_info("list", TensorProto.UINT8, None)])


@pytest.mark.parametrize(
    ("model", "says"),
    [(_texts(), "text is of a type that arrays do not have"), (_sequence(), "list is no tensor")],
)
def test_an_output_that_is_no_array_is_refused(model: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        _load(model)


@pytest.mark.parametrize("model", [b"", b"no model", squares_onnx()[:-40], squares_onnx()[40:]])
def test_what_is_no_model_is_refused_in_a_line(model: bytes) -> None:
    with pytest.raises(RefusedError, match=r"ONNX Runtime cannot load m\.onnx: .+") as refused:
        _load(model)
    assert "\n" not in str(refused.value)


def test_a_graph_with_another_number_of_inputs_is_refused() -> None:
    two = onnx.load_from_string(
        _onnx([helper.make_node("Identity", ["image"], ["same"])], [_same()])
    )
    two.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(RefusedError, match="takes 2 inputs"):
        _load(two.SerializeToString())


def test_python_goes_on_while_a_model_is_loaded() -> None:
    """Its package would keep Python's lock from the first byte to the last."""
    model, counted, ended = _large(), [0], threading.Event()

    def count() -> None:
        while not ended.is_set():
            counted[0] += 1

    counting = threading.Thread(target=count)
    counting.start()
    before = counted[0]
    onnxruntime_c.Model(model, 1)
    during = counted[0] - before
    ended.set()
    counting.join()
    assert during > 1000


def test_several_threads_run_one_model() -> None:
    session = _load(squares_onnx())
    pictures = [scene((4 * i, 3 * i))[None] for i in range(12)]
    alone = [session.run(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            for one, other in zip(alone, threads.map(session.run, pictures), strict=True):
                assert np.array_equal(one["boxes"], other["boxes"])


def test_a_model_that_goes_gives_its_memory_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    model = _large()
    _load(model)
    before = resident()
    for _ in range(8):
        _load(model).run(PICTURE)
    assert resident() - before < 128 * 2**20  # one holds 64 MB


def test_the_providers_are_those_that_the_package_names() -> None:
    assert onnxruntime_c.providers() == tuple(onnxruntime.get_available_providers())


LIBRARY: Final = "libonnxruntime.so"
FAKE: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from edge_runtime import diagnosis, engines
from edge_runtime.contract import Variant
from edge_runtime.engines.providers import providers_here
from edge_runtime.errors import RefusedError
print([check.state for check in diagnosis._engines()], sorted(providers_here()))
engines.begin_import("onnxruntime", None)
try:
    engines.load(Variant("v", "onnxruntime", "f32", ("cpu",), "m", {}), {"m": b""}, 1)
except RefusedError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ((), "0 files libonnxruntime.so lie in ONNX Runtime's package"),
        ((LIBRARY + ".1", LIBRARY + ".2"), "2 files libonnxruntime.so lie"),
        ((LIBRARY,), "library does not load: "),
    ],
)
def test_a_package_without_its_library_is_said_and_harms_nothing_else(
    tmp_path: Path, files: Sequence[str], says: str
) -> None:
    capi = tmp_path / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    for name in files:
        (capi / name).write_bytes(b"no library")
    done = subprocess.run(
        [sys.executable, "-c", FAKE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert says in done.stdout.splitlines()[1]
    assert done.stdout.splitlines()[0].endswith(" []")
    assert not done.stderr


def test_a_name_that_is_no_text_is_refused() -> None:
    model = _onnx([helper.make_node("Identity", ["image"], ["same"])], [_same()])
    with pytest.raises(RefusedError, match="is not UTF-8"):
        _load(model.replace(b"same", b"s\xffe\xfe"))


def test_outputs_for_which_there_is_no_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError

    session = _load(squares_onnx())
    monkeypatch.setattr(onnxruntime_c, "_tensor", greedy)
    with pytest.raises(RefusedError, match="no memory for what a batch of 1 gives"):
        session.run(scene((8, 8))[None])
