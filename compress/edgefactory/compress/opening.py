"""A model from what its path holds: checkpoint, ONNX, OpenVINO IR, release, variants, or teacher.

Whatever the form, a picture goes the same way: the contract's `preprocess` by the model's own input
specification, one picture a batch, f32 unless a variant says otherwise, and the same reading.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from edge_runtime.contract import Engine, Release, Variant, VariantSet, digest
from edgefactory.compress import engines
from edgefactory.compress.models import LOWEST, ContractModel, Model, TeacherModel
from edgefactory.compress.stated import specification_in
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teachers import EngineSettings, TeacherSpec, open_teacher, parse_teacher
from edgefactory.datasets.teachers.graphs import read_graph
from edgefactory.datasets.teachers.release import RELEASE, blobs_of, choose_variant
from edgefactory.datasets.teachers.spec import KINDS
from edgefactory.training import evaluation as ev

if TYPE_CHECKING:
    from edgefactory.compress.engines import Session

WEIGHTS: Final = "model.safetensors"
VARIANTS: Final = "variants.json"
_GRAPHS: Final[Mapping[str, Engine]] = {".onnx": "onnxruntime", ".xml": "openvino"}
_TORCH_KINDS: Final = ("torchvision", "open-vocabulary")
_FORMS: Final = (
    f"a checkpoint's folder ({WEIGHTS}), a release's ({RELEASE}), a folder of variants "
    f"({VARIANTS}), a file .onnx or .xml, or a teacher as docs/teachers.md has it"
)


@dataclass(frozen=True)
class Opening:
    """How a model is to be opened. `engine` None: the form's own; `variant` None: the most
    precise; `classes` are those of a graph that names none."""

    engine: Engine | None = None
    variant: str | None = None
    classes: tuple[str, ...] = ()
    threads: int = 1


def open_model(source: str, how: Opening) -> Model:
    """The model at the path `source`, or the teacher that it describes.

    Raises MissingError when it or its engine is not here, InputError when it is no model or not as
    it must be, TrustError when a file is not what its release or variants say.
    """
    path = Path(source)
    if source.partition(":")[0].partition("?")[0] in KINDS and not path.exists():
        _refuse(how, "a teacher", ("variant",))
        spec = parse_teacher(source, how.classes)
        if "min_score=" not in source:
            spec = msgspec.structs.replace(spec, min_score=LOWEST)
        return _teacher(source, spec, how)
    if not path.exists():
        raise MissingError(f"{path} is not there; expected {_FORMS}")
    if path.is_dir():
        for name, opener in _FOLDERS.items():
            if (path / name).is_file():
                return opener(path, how)
    elif path.name in _FOLDERS:
        return _FOLDERS[path.name](path.parent, how)
    elif path.suffix in _GRAPHS:
        return _graph(path, how)
    raise InputError(f"{path} is no model; expected {_FORMS}")


def _checkpoint(path: Path, how: Opening) -> Model:
    _refuse(how, "a checkpoint, which runs in torch", ("engine", "variant", "classes"))
    from edgefactory.compress.torch_session import open_checkpoint

    opened = open_checkpoint(path, how.threads)
    about = ev.Model(
        form="checkpoint",
        name=path.name,
        task=opened.says.task,
        classes=opened.says.classes,
        files_sha256={WEIGHTS: opened.sha256},
        engine="torch",
        engine_version=importlib.metadata.version("torch"),
        precision="f32",
        threads=how.threads,
        input=opened.says.input,
    )
    return ContractModel(about, opened.session, opened.says.input)


def _release(path: Path, how: Opening) -> Model:
    _refuse(how, "a release, which names its classes", ("classes",))
    release = read_document(path / RELEASE, Release)
    variant = choose_variant(release.variants, how.variant, how.engine, str(path))
    files = blobs_of(variant, path)
    name = f"{release.name} {release.version}"
    about = _about_variant("release", name, release, variant, files, how)
    session = _session(variant, files, how)
    return ContractModel(about, session, release.input, release.operating_point)


def _variants(path: Path, how: Opening) -> Model:
    _refuse(how, "variants, which name their classes", ("classes",))
    made = read_document(path / VARIANTS, VariantSet)
    variant = choose_variant(made.variants, how.variant, how.engine, str(path))
    folder = path / variant.name
    files = {name: engines.read_file(folder, variant, name) for name in variant.files}
    about = _about_variant("variants", path.name, made, variant, files, how)
    return ContractModel(about, _session(variant, files, how), made.input)


def _session(variant: Variant, files: Mapping[str, bytes], how: Opening) -> Session:
    return engines.load(variant.engine, files, variant.main, variant.precision, how.threads)


def _about_variant(
    form: ev.Form,
    name: str,
    of: Release | VariantSet,
    variant: Variant,
    files: Mapping[str, bytes],
    how: Opening,
) -> ev.Model:
    return ev.Model(
        form=form,
        name=name,
        task=of.task,
        classes=of.labels,
        files_sha256={name: digest(content) for name, content in sorted(files.items())},
        engine=variant.engine,
        engine_version=engines.engine_version(variant.engine),
        precision=variant.precision,
        threads=how.threads,
        input=of.input,
        variant=variant.name,
    )


def _graph(path: Path, how: Opening) -> Model:
    _refuse(how, "a single graph", ("variant",))
    engine = how.engine or _GRAPHS[path.suffix]
    if path.suffix == ".xml" and engine != "openvino":
        raise InputError(f"{path} is OpenVINO's: it does not run in {engine}")
    files = read_graph(path)
    says = specification_in(files, path.name)
    if says is None:
        return _foreign(path, engine, how)
    if how.classes and how.classes != says.classes:
        raise InputError(
            f"{path} names its own classes ({', '.join(says.classes[:5])}): leave --classes out"
        )
    about = ev.Model(
        form="openvino" if path.suffix == ".xml" else "onnx",
        name=path.name,
        task=says.task,
        classes=says.classes,
        files_sha256={name: digest(content) for name, content in sorted(files.items())},
        engine=engine,
        engine_version=engines.engine_version(engine),
        precision="f32",
        threads=how.threads,
        input=says.input,
    )
    session = engines.load(engine, files, path.name, "f32", how.threads)
    return ContractModel(about, session, says.input)


def _foreign(path: Path, engine: Engine, how: Opening) -> Model:
    kind: Literal["onnx", "openvino"] = "openvino" if path.suffix == ".xml" else "onnx"
    if not how.classes:
        raise InputError(
            f"{path} does not say what it is (no property edgefactory.task): name its classes in "
            f"its order (--classes a,b), and how it is fed where that is unusual, as {kind}:"
            f"{path.name}?fit=letterbox&resize=pillow-box (docs/teachers.md)"
        )
    spec = TeacherSpec(kind, str(path), how.classes, min_score=LOWEST)
    return _teacher(path.name, spec, Opening(engine, None, how.classes, how.threads))


def _teacher(name: str, spec: TeacherSpec, how: Opening) -> Model:
    engine = how.engine or ("openvino" if spec.kind == "openvino" else "onnxruntime")
    if engine not in ("onnxruntime", "openvino"):
        raise InputError(f"{name}: a teacher runs in onnxruntime or openvino")
    teacher = open_teacher(spec, EngineSettings(engine, "f32", how.threads))
    runs = "torch" if spec.kind in _TORCH_KINDS else engine
    about = ev.Model(
        form="teacher",
        name=name,
        task=teacher.task,
        classes=teacher.classes,
        files_sha256={spec.kind: teacher.digest},
        engine=runs,
        engine_version=importlib.metadata.version(runs),
        precision="f32",
        threads=how.threads,
    )
    return TeacherModel(about, teacher)


def _refuse(how: Opening, what: str, options: tuple[str, ...]) -> None:
    """Raise InputError for an option that `what` does not take."""
    for option in options:
        if getattr(how, option):
            raise InputError(f"--{option} is not for {what}: leave it out")


_FOLDERS: Final = {WEIGHTS: _checkpoint, RELEASE: _release, VARIANTS: _variants}
