"""Models at paths as pipelines that can be looked into: the forms that each graph has taken."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.contract import (
    InputSpec,
    OperatingPoint,
    Placement,
    Release,
    Task,
    Variant,
    VariantSet,
    digest,
)
from edgefactory.compress import engines
from edgefactory.compress.answers import Answer
from edgefactory.compress.models import checked
from edgefactory.compress.opening import VARIANTS, WEIGHTS, Opening
from edgefactory.compress.parity.pipeline import (
    Fed,
    Form,
    FormStage,
    Pipeline,
    UInt8,
    contract_pipeline,
)
from edgefactory.compress.parity.quantization import is_quantized
from edgefactory.compress.stated import specification_in
from edgefactory.datasets import Item, load_picture
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teachers.graphs import read_graph
from edgefactory.datasets.teachers.release import RELEASE, blobs_of, choose_variant
from edgefactory.training import evaluation as ev

MAX_FED_BYTES: Final = 256 * 2**20
_Made = VariantSet | Release


def reference_pipeline(source: Path) -> Pipeline:
    """The pipeline of a trusted model, whose only form is its FP32 ONNX graph.

    Raises InputError where there is no such graph.
    """
    pipeline = _pipeline(source, Opening())
    forms = [form for form in pipeline.forms if form.stage == "onnx" and form.is_onnx]
    if not forms:
        raise InputError(
            f"{source} has no ONNX graph in 32 bits whose layers could be looked at: compare with "
            "the checkpoint, or with an ONNX file"
        )
    return replace(pipeline, forms=(forms[0],))


def other_pipeline(source: Path, how: Opening, via: Sequence[Path]) -> Pipeline:
    """The pipeline under suspicion; `via` are forms that it was made from, in order."""
    pipeline = _pipeline(source, how)
    before = [form for path in via for form in _pipeline(path, Opening()).forms]
    return replace(pipeline, forms=(*before, *pipeline.forms))


@dataclass(frozen=True)
class PipelineModel:
    """A pipeline as a model that answers; see `models.Model`."""

    about: ev.Model
    pipeline: Pipeline
    point: OperatingPoint | None = None

    def answer(self, picture: UInt8) -> Answer:
        """See `Model`."""
        return checked(self.pipeline.answer(picture), self.about)


def fed_from(pipeline: Pipeline, folder: Path, items: Sequence[Item], snapshot: Path) -> Pipeline:
    """The pipeline, fed what another implementation fed its graph: arrays in `folder`, one
    ITEM.npy a picture. Raises MissingError for a picture without one, InputError for no array."""
    by_picture = {digest(load_picture(snapshot, item).tobytes()): item.id for item in items}

    def prepare(picture: UInt8) -> tuple[Fed, Placement]:
        _, place = pipeline.prepare(picture)
        return _array(folder / f"{by_picture[digest(picture.tobytes())]}.npy"), place

    return replace(pipeline, prepare=prepare)


def _array(path: Path) -> Fed:
    if not path.is_file():
        raise MissingError(f"{path} is not there; expected what the graph was fed, as numpy.save")
    if path.stat().st_size > MAX_FED_BYTES:
        raise InputError(f"{path} is larger than {MAX_FED_BYTES} bytes")
    try:
        array: Fed = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise InputError(f"{path} is no array of numpy.save: {error}") from error
    return array[0] if array.ndim == 4 and array.shape[0] == 1 else array


def _pipeline(source: Path, how: Opening) -> Pipeline:
    for name, opener in _FOLDERS.items():
        if (source / name).is_file():
            return opener(source, how)
    if source.suffix in (".onnx", ".xml") and source.is_file():
        return _graph(source, how)
    raise InputError(f"{source} cannot be looked into: it is no checkpoint, graph or release")


def _checkpoint(source: Path, _how: Opening) -> Pipeline:
    from edgefactory.training import export_onnx, load_checkpoint

    trained = load_checkpoint(source)
    with tempfile.TemporaryDirectory() as folder:
        content = export_onnx(source, Path(folder) / "model.onnx").path.read_bytes()
    name = "the ONNX export"
    form = Form("onnx", name, {"model.onnx": content}, "model.onnx", "onnxruntime")
    return contract_pipeline(trained.task, trained.input, (form,))


def _variants(source: Path, how: Opening) -> Pipeline:
    made = read_document(source / VARIANTS, VariantSet)

    def files(variant: Variant) -> dict[str, bytes]:
        folder = source / variant.name
        return {name: engines.read_file(folder, variant, name) for name in variant.files}

    return _of_variants(made, how, files, source)


def _release(source: Path, how: Opening) -> Pipeline:
    made = read_document(source / RELEASE, Release)
    return _of_variants(made, how, lambda variant: dict(blobs_of(variant, source)), source)


def _of_variants(
    made: _Made, how: Opening, files: Callable[[Variant], dict[str, bytes]], source: Path
) -> Pipeline:
    """The chosen variant, after the float ones that it was made from."""
    chosen = choose_variant(made.variants, how.variant, how.engine, str(source))
    path: list[Variant] = []
    for engine in ("onnxruntime", "openvino"):
        if engine in ("onnxruntime", chosen.engine):
            path += [v for v in made.variants if v.engine == engine and v.precision == "f32"][:1]
    forms = [_form(variant, files(variant)) for variant in path if variant != chosen]
    return contract_pipeline(made.task, made.input, (*forms, _form(chosen, files(chosen))))


def _form(variant: Variant, files: Mapping[str, bytes]) -> Form:
    stage = _stage(files, variant.main, variant.engine)
    name = variant.name
    return Form(stage, name, files, variant.main, variant.engine, variant.precision)


def _stage(files: Mapping[str, bytes], main: str, engine: str) -> FormStage:
    if is_quantized(files, main):
        return "quantized"
    return "openvino" if engine == "openvino" else "onnx"


def _graph(source: Path, how: Opening) -> Pipeline:
    files = read_graph(source)
    says = specification_in(files, source.name)
    if says is None:
        raise InputError(f"{source} does not say how it is fed, so it cannot be looked into")
    task: Task = says.task
    spec: InputSpec = says.input
    engine = how.engine or ("openvino" if source.suffix == ".xml" else "onnxruntime")
    stage = _stage(files, source.name, engine)
    form = Form(stage, source.name, files, source.name, engine)
    if source.suffix == ".onnx" and stage == "openvino":
        plain = replace(form, stage="onnx", engine="onnxruntime")
        return contract_pipeline(task, spec, (plain, form))
    return contract_pipeline(task, spec, (form,))


_FOLDERS: Final[Mapping[str, Callable[[Path, Opening], Pipeline]]] = {
    WEIGHTS: _checkpoint,
    VARIANTS: _variants,
    RELEASE: _release,
}
