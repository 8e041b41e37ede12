"""The model of `runtime-overhead` and `runtime-peers`, served by edge-runtime.

As a program it is the server: `python served.py MODEL PORT [SOCKET]`, until it is ended.
"""

import signal
import sys
from pathlib import Path

from edge_runtime.contract import (
    FileRef,
    Golden,
    InputSpec,
    Lineage,
    OperatingPoint,
    OutputSpec,
    Release,
    Tolerance,
    Variant,
)
from edge_runtime.engines import load
from edge_runtime.hosting import Host, Loaded
from edge_runtime.running import Active
from edge_runtime.serving import Server, ServingSettings, listen_on
from edge_runtime.store import Slot

NAME, SIDE, CLASSES = "mobilenet", 224, 1000
_NONE = FileRef("0" * 64, 0)


def loaded(model: bytes) -> Loaded:
    """The classifier in the graph contract, on one thread of ONNX Runtime."""
    variant = Variant(
        "onnx-fp32", "onnxruntime", "f32", ("cpu",), "model.onnx", {"model.onnx": _NONE}
    )
    release = Release(
        schema="release/1",
        name=NAME,
        version="1.0.0",
        sequence=1,
        task="classification",
        labels=tuple(str(number) for number in range(CLASSES)),
        input=InputSpec(SIDE, SIDE),
        output=OutputSpec(("probabilities",)),
        operating_point=OperatingPoint(0.0, "benchmark"),
        variants=(variant,),
        golden=Golden((), Tolerance()),
        evidence=_NONE,
        lineage=Lineage("0" * 64, "0" * 64, 0),
        card=_NONE,
    )
    slot = Slot(_NONE, "1.0.0", 1, variant.name, "onnxruntime", 0)
    session = load(variant, {"model.onnx": model}, 1)
    return Loaded(Active("bench", slot, release, variant), session)


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    host = Host()
    host.put(NAME, loaded(Path(arguments[0]).read_bytes()))
    path = Path(arguments[2]) if len(arguments) > 2 else None
    server = Server(host, ServingSettings(listen_on(f"127.0.0.1:{arguments[1]}"), path))
    server.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(sys.argv[1:])
