"""Whether each engine really runs: a graph of one operator goes through it.

Each check runs in a process of its own, so that an engine that crashes is a finding and not
the end of the doctor.
"""

import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

SECONDS = 90

_GRAPH = """
import numpy as np, onnx
from onnx import TensorProto as T, helper as h
node = h.make_node("Relu", ["x"], ["y"])
ends = [h.make_tensor_value_info(n, T.FLOAT, [1, 3]) for n in "xy"]
model = h.make_model(
    h.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=[h.make_opsetid("", 17)]
)
model.ir_version = 9
data = model.SerializeToString()
x, expected = np.array([[-1, 0, 2]], np.float32), [[0, 0, 2]]
"""

_ONNXRUNTIME = """
import onnxruntime as ort
session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
assert session.run(None, {"x": x})[0].tolist() == expected
print(ort.__version__)
"""

_OPENVINO = """
from edge_runtime.openvino_core import openvino_core, quiet_openvino
ov, core = quiet_openvino(), openvino_core()
compiled = core.compile_model(core.read_model(data), "CPU")
assert compiled(x)[0].tolist() == expected
print(ov.__version__.split("-")[0], "on", ", ".join(core.available_devices))
"""

_TENSORRT = """
import tensorrt_rtx as trt
builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
network = builder.create_network(0)
parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
assert parser.parse(data)
config = builder.create_builder_config()
config.num_compute_capabilities = 1
config.set_compute_capability(trt.ComputeCapability.SM86, 0)
assert builder.build_serialized_network(network, config) is not None
print(trt.__version__, "builds engines (running one needs the card)")
"""

CHECKS: Mapping[str, str] = MappingProxyType(
    {"onnxruntime": _ONNXRUNTIME, "openvino": _OPENVINO, "tensorrt-rtx": _TENSORRT}
)


def try_engine(name: str) -> tuple[bool, str]:
    """Whether the engine works, and its version or the reason why not."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _GRAPH + CHECKS[name]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {SECONDS} s"
    said = done.stdout.strip().splitlines()
    if done.returncode == 0 and said:
        return True, said[-1]
    if done.returncode < 0:
        return False, f"crashed (signal {-done.returncode})"
    lines = done.stderr.strip().splitlines()
    return False, lines[-1][:200] if lines else "no message"
