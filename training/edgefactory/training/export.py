"""A checkpoint becomes an ONNX graph that takes bytes and returns decisions."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import nn

from edge_runtime.contract import file_digest
from edgefactory.datasets.files import write_file
from edgefactory.training.checkpoint import load_checkpoint
from edgefactory.training.graph import macs
from edgefactory.training.patches import rows_as_channels
from edgefactory.training.specification import Specification

OPSET = 18
_LARGEST_BATCH = 1024


@dataclass(frozen=True)
class Exported:
    """An FP32 graph on disk; `macs` are multiply-accumulates a picture."""

    path: Path
    sha256: str
    bytes: int
    macs: int


def export_onnx(
    checkpoint_dir: Path, out_path: Path, opset: int = OPSET, batch: int | None = None
) -> Exported:
    """Write the checkpoint as ONNX by the graph contract, FP32.

    `batch` fixes the number of pictures N; None leaves it free. The same checkpoint gives the
    same bytes. A convolution's name is its place in the network ("stem.0", "heat"). The graph says
    of itself what `specification` reads.
    Raises InputError for a bad checkpoint, StorageError if `out_path` cannot be written.
    """
    checkpoint = load_checkpoint(checkpoint_dir)
    recipe = checkpoint.recipe
    width, height = recipe.resolution
    names = list(checkpoint.output.names)
    model = _traced(checkpoint.graph(), (height, width), names, opset, batch)
    _name_convolutions(model)
    rows_as_channels(model)
    _strip(model)
    says = Specification(checkpoint.task, checkpoint.classes, checkpoint.input)
    onnx.helper.set_model_props(model, says.properties())
    onnx.checker.check_model(model, full_check=True)
    write_file(out_path, model.SerializeToString(deterministic=True))
    return Exported(out_path, file_digest(out_path), out_path.stat().st_size, macs(out_path))


def _traced(
    graph: nn.Module, size: tuple[int, int], names: list[str], opset: int, batch: int | None
) -> onnx.ModelProto:
    pictures = torch.zeros(batch or 2, *size, 3, dtype=torch.uint8)
    free = None if batch else {"image": {0: torch.export.Dim("N", min=1, max=_LARGEST_BATCH)}}
    with _quiet():
        program = torch.onnx.export(
            graph,
            (pictures,),
            input_names=["image"],
            output_names=names,
            opset_version=opset,
            dynamic_shapes=free,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    assert isinstance(proto, onnx.ModelProto)
    return proto


def _name_convolutions(model: onnx.ModelProto) -> None:
    """Exporters number nodes; names that follow the network survive a change elsewhere in it.

    Where a layer is used again, on another map, its name is followed by how often: engines refuse
    two nodes of one name.
    """
    times: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            name = node.input[1].removeprefix("network.").removesuffix(".weight")
            times[name] += 1
            node.name = name if times[name] == 1 else f"{name}@{times[name]}"


def _strip(model: onnx.ModelProto) -> None:
    """Without the exporter's remarks (stack traces with paths of this machine)."""
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    model.graph.name = "specialist"
    tables = (model.graph.node, model.graph.value_info, model.graph.input)
    for entry in [*(e for table in tables for e in table), *model.graph.output]:
        entry.ClearField("metadata_props")
        entry.ClearField("doc_string")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of its own deprecations and steps; none concerns our user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
