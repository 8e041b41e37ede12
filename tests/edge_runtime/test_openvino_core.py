"""OpenVINO's core stays for as long as the process does."""

import subprocess
import sys
from pathlib import Path

import pytest

from .models import brightness_onnx

pytestmark = pytest.mark.component

# A signal after a model went on another thread. In a process of its own: it could end it.
SIGNALLED = """
import os, signal, sys, threading
from pathlib import Path
from edge_runtime import engines
from edge_runtime.contract import Variant
content = Path(sys.argv[1]).read_bytes()
variant = Variant("m", "openvino", "f32", ("cpu",), "m.onnx", {})
held = [engines.load(variant, {"m.onnx": content}, 1)]
dropping = threading.Thread(target=held.clear)
dropping.start()
dropping.join()
signal.signal(signal.SIGINT, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_signal_is_heard_after_a_model_was_dropped_on_another_thread(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(brightness_onnx())
    command = [sys.executable, "-c", SIGNALLED, str(model)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "heard\n")


def test_openvino_starts_no_telemetry() -> None:
    code = (
        "import sys, threading\n"
        "from edge_runtime.openvino_core import openvino_core\n"
        "openvino_core()\n"
        "print(threading.active_count(), 'openvino_telemetry.backend' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
