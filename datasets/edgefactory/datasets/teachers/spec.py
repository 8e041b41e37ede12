"""Which teacher, said in a line: `person`, `onnx:model.onnx?size=640&tile=0.5`.

    kind[:NAME][:FILE][?key=value&key=value]

The keys of `Views`, `weight` and `min_score` are for every kind, others belong to one kind.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from edgefactory.datasets.errors import InputError

Kind = Literal[
    "person", "face", "text", "onnx", "openvino", "torchvision", "release", "open-vocabulary"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_NEEDS_FILE: Final = frozenset({"onnx", "openvino", "torchvision", "release", "open-vocabulary"})

S = TypeVar("S", bound=Struct)


class EngineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the models run on. `bf16` is OpenVINO's; torch models compute in f32 on `threads`."""

    engine: Literal["onnxruntime", "openvino"] = "openvino"
    precision: Literal["f32", "bf16"] = "f32"
    threads: Annotated[int, Meta(ge=1, le=1024)] = 1


class Views(Struct, frozen=True, forbid_unknown_fields=True):
    """How a teacher looks at a picture besides once, as a whole.

    `tile` is the side of a square tile as a share of the picture's shorter side (None: as the
    kind does, which is half a side for `person` and no tiles for all others), `stride` the
    distance of neighbouring tiles as a share of the tile, at most; `whole` adds a look at the
    whole picture. `mirror` adds the mirror image, `scales` are the sizes that are looked at.
    """

    tile: Annotated[float, Meta(ge=0.05, le=1)] | None = None
    stride: Annotated[float, Meta(ge=0.1, le=1)] = 0.5
    whole: bool = True
    mirror: bool = False
    scales: tuple[Annotated[float, Meta(ge=0.25, le=4)], ...] = (1.0,)


class TeacherSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A teacher that can be opened anywhere: in this process, a worker, tomorrow.

    `file` is the model's file or folder; None where the kind fetches its own. `classes` names
    the model's classes in its order where its file does not, and says what to look for in an
    open vocabulary. `options` are the kind's own (see `docs/teachers.md`), `weight` is for the
    fusion of several teachers, boxes below `min_score` are not reported.
    """

    kind: Kind
    file: str | None = None
    classes: tuple[str, ...] = ()
    options: dict[str, str] = {}
    views: Views = Views()
    weight: Annotated[float, Meta(gt=0, le=100)] = 1.0
    min_score: Annotated[float, Meta(ge=0, lt=1)] = 0.05


class NoOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a kind that has none of its own."""


def parse_teacher(text: str, classes: tuple[str, ...] = ()) -> TeacherSpec:
    """The teacher that `text` describes, with `classes`; `InputError` when it is not one."""
    head, _, query = text.partition("?")
    kind, _, rest = head.partition(":")
    if kind not in KINDS:
        raise InputError(f"teacher {text!r}: the kind is one of {', '.join(KINDS)}")
    if kind in _NEEDS_FILE and not rest:
        raise InputError(f"teacher {text!r}: expected a file, as `{kind}:FILE`")
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError as error:
        raise InputError(f"teacher {text!r}: expected ?key=value&key=value") from error
    if kind == "torchvision":
        name, _, rest = rest.partition(":")
        if not rest:
            raise InputError(f"teacher {text!r}: expected torchvision:NAME:FILE.safetensors")
        given["name"] = name
    common = {key: given.pop(key) for key in ("weight", "min_score") if key in given}
    views: dict[str, Any] = {key: given.pop(key) for key in Views.__struct_fields__ if key in given}
    if "scales" in views:
        views["scales"] = views["scales"].split("/")
    file = os.fspath(Path(rest)) if rest else None
    fields = {"kind": kind, "file": file, "classes": classes, "options": given, "views": views}
    return _converted(fields | common, TeacherSpec, f"teacher {text!r}")


def names_of(spec: TeacherSpec, known: tuple[str, ...]) -> tuple[str, ...]:
    """The classes' names: the model's own, or those that `spec` puts in their place."""
    if spec.classes and len(spec.classes) != len(known):
        raise InputError(
            f"teacher {spec.kind} knows {len(known)} classes ({', '.join(known[:5])}); "
            f"{len(spec.classes)} names are given"
        )
    return spec.classes or known


def options_of(spec: TeacherSpec, kind: type[S]) -> S:
    """The options of `spec` as its kind's own struct; `InputError` names a wrong one."""
    return _converted(spec.options, kind, f"teacher {spec.kind}")


def _converted(given: dict[str, Any], kind: type[S], where: str) -> S:
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from error
