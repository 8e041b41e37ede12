"""What the engines' own tools make of a network, with their own settings."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.openvino_core import openvino_core, quiet_openvino
from edgefactory.compress.choosing.executable import Executable
from edgefactory.compress.machine import has_bf16, host
from edgefactory.compress.openvino_ir import to_ir

ONNX = "model.onnx"
IR = "model.xml"
FP32 = "onnxruntime f32"


def rivals(fp32: bytes, pictures: Sequence[Any]) -> dict[str, Executable]:
    """By name; `pictures` are inputs uint8 [H,W,3] to calibrate on."""
    ir = to_ir(fp32)
    found = {
        FP32: Executable({ONNX: fp32}, ONNX, "onnxruntime", "f32"),
        "openvino f32": Executable(ir, IR, "openvino", "f32"),
    }
    if has_bf16(host(())):
        found["openvino bf16"] = Executable(ir, IR, "openvino", "bf16")
    onnx = {ONNX: _onnxruntime(fp32, pictures)}
    found["onnxruntime int8"] = Executable(onnx, ONNX, "onnxruntime", "int8")
    found["openvino int8 (nncf)"] = Executable(_nncf(fp32, pictures), IR, "openvino", "int8")
    return found


def _onnxruntime(fp32: bytes, pictures: Sequence[Any]) -> bytes:
    """ONNX Runtime's `quantize_static` as its documentation has it for processors: U8S8."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        """One picture a batch."""

        def __init__(self, name: str) -> None:
            self._rest = ({name: picture[None]} for picture in pictures)

        def get_next(self) -> Any:
            """The next batch, or None after the last."""
            return next(self._rest, None)

    model = onnx.load_from_string(fp32)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / ONNX
        quantize_static(
            model,
            path,
            Reader(model.graph.input[0].name),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()


def _nncf(fp32: bytes, pictures: Sequence[Any]) -> dict[str, bytes]:
    """`nncf.quantize` with its defaults."""
    with _quiet():
        import nncf

        nncf.set_log_level(logging.ERROR)
        take: Callable[[Any], Any] = lambda picture: picture[None]  # noqa: E731 # what it asks for
        data = nncf.Dataset(list(pictures), take)
        model = openvino_core().read_model(fp32)
        quantized = nncf.quantize(model, data, subset_size=len(pictures))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / IR
            quiet_openvino().save_model(quantized, path, compress_to_fp16=False)
            return {name: (Path(folder) / name).read_bytes() for name in (IR, "model.bin")}


@contextlib.contextmanager
def _quiet() -> Any:
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
