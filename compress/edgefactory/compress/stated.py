"""Where the files of a graph carry what it says of itself (`training.specification`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_runtime.openvino_core import openvino_core
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line
from edgefactory.training.specification import KEYS, Specification, specification_of

_KEPT: Final = "framework"  # where OpenVINO keeps the properties of the ONNX file that it read


def specification_in(files: Mapping[str, bytes], main: str) -> Specification | None:
    """What the graph `main` (ONNX, or IR with its .bin) says of itself; None where nothing.

    Raises InputError when it is no such graph, or carries a wrong specification.
    """
    read = _of_ir if main.endswith(".xml") else _of_onnx
    return specification_of(read(files, main), main)


def _of_onnx(files: Mapping[str, bytes], main: str) -> dict[str, str]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(files[main])
    except DecodeError as error:
        raise InputError(f"{main} is not an ONNX model: {first_line(error)}") from error
    if not model.graph.node:
        raise InputError(f"{main} is not an ONNX model: it has no graph")
    return {entry.key: entry.value for entry in model.metadata_props}


def _of_ir(files: Mapping[str, bytes], main: str) -> dict[str, str]:
    weights = files[Path(main).with_suffix(".bin").name]
    try:
        model = openvino_core().read_model(files[main], weights)
    except RuntimeError as error:
        raise InputError(f"OpenVINO cannot read {main}: {first_line(error)}") from error
    paths = {key: [_KEPT, key] for key in KEYS}
    return {
        key: model.get_rt_info(path).astype(str)
        for key, path in paths.items()
        if model.has_rt_info(path)
    }
