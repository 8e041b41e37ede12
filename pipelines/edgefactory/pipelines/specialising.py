"""A general model and a scene in, its specialist out: labelled, trained, compared, in one folder.

Each step leaves a folder or a file, and is not done again while what went into it stays the same.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct

from edge_runtime.contract import digest, encode
from edgefactory.datasets import (
    AutoLabelSettings,
    Progress,
    SplitSettings,
    VerdictSettings,
    auto_label,
    native_precision,
    read_manifest,
    snapshot_digest,
    split,
)
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import file_sha256, write_file
from edgefactory.datasets.formats import FORMS, ImportSettings, import_data_set, import_video
from edgefactory.datasets.manifest import MANIFEST
from edgefactory.datasets.sampling import SamplingSettings
from edgefactory.datasets.teachers import EngineSettings, open_teacher, parse_teacher
from edgefactory.datasets.tight_labels import tighten

if TYPE_CHECKING:
    from edgefactory.compress.comparing import Comparison
    from edgefactory.training import Recipe

RESULT: Final = "specialise.json"
_STEPS: Final = ".steps.json"

Fit = Callable[[Path], "Recipe"]
"""The recipe for a labelled snapshot's folder."""


@dataclass(frozen=True)
class Wishes:
    """What is to become a specialist, and how.

    `source` is a snapshot's folder, a video, or a folder of pictures; `teacher` a teacher as `label
    auto` takes it, with `classes` where its file names none. `truth` is a file of what people
    annotated in the last part of a video. `tighten` draws boxes tight where the camera stands
    still. `workers` is how many processes label; None: one for each core.
    """

    source: Path
    teacher: str
    out: Path
    classes: tuple[str, ...] = ()
    truth: Path | None = None
    tighten: bool = False
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    verdicts: VerdictSettings = field(default_factory=VerdictSettings)
    workers: int | None = None


class Specialised(Struct, frozen=True, forbid_unknown_fields=True):
    """`specialise.json`: what was made of what, and how specialist and teacher compare.

    `comparison` is that of `compress.comparing`; its `labels` say who labelled the test split, and
    where it was the teacher itself, its own figure says nothing.
    """

    schema: Literal["specialise/1"]
    teacher: str
    snapshot_sha256: str
    checkpoint_sha256: str
    onnx_sha256: str
    parameters: int
    bytes: int
    macs: int
    comparison: dict[str, object]


def specialise(
    wishes: Wishes, fit: Fit, progress: Progress, tracking: str | None = None
) -> Specialised:
    """Fill `wishes.out`: raw/, labelled/, checkpoint/, model.onnx and specialise.json.

    `fit` gives the recipe for the labelled snapshot, `tracking` is as in `train`. Raises what the
    steps raise: InputError, MissingError, StorageError.
    """
    steps = _Steps(wishes.out)
    labelled = _labelled(wishes, steps, progress)
    progress(0, 0, "starting to train")
    from edgefactory.training import export_onnx, load_checkpoint, train

    recipe = fit(labelled)
    checkpoint = wishes.out / "checkpoint"
    steps.once(
        checkpoint,
        [snapshot_digest(labelled), encode(recipe).decode()],
        lambda: train(recipe, labelled, checkpoint, wishes.out / ".scratch", progress, tracking),
    )
    trained = load_checkpoint(checkpoint)
    exported = export_onnx(checkpoint, wishes.out / "model.onnx")
    made = Specialised(
        schema="specialise/1",
        teacher=wishes.teacher,
        snapshot_sha256=trained.lineage.snapshot_sha256,
        checkpoint_sha256=trained.sha256,
        onnx_sha256=exported.sha256,
        parameters=trained.lineage.parameters,
        bytes=exported.bytes,
        macs=exported.macs,
        comparison=msgspec.to_builtins(_compared(wishes, labelled, progress)),
    )
    write_file(wishes.out / RESULT, encode(made))
    return made


def _labelled(wishes: Wishes, steps: _Steps, progress: Progress) -> Path:
    """The source as a snapshot, split, its train and val labelled by the teacher."""
    spec = parse_teacher(wishes.teacher, wishes.classes)
    teacher = open_teacher(spec)  # before long work: it may not be there
    raw = _raw(wishes, teacher.classes, steps, progress)
    engine = _engine()
    precision = native_precision() if engine == "openvino" else "f32"
    settings = AutoLabelSettings(
        teachers=(spec,),
        engine=EngineSettings(engine, precision),
        verdicts=wishes.verdicts,
        workers=wishes.workers,
    )
    key = [snapshot_digest(raw), wishes.teacher, teacher.digest, repr(wishes.verdicts)]
    labelled = wishes.out / "labelled"
    steps.once(labelled, key, lambda: auto_label(settings, raw, labelled, progress))
    if not wishes.tighten:
        return labelled
    tight = wishes.out / "tight"
    steps.once(tight, [snapshot_digest(labelled)], lambda: tighten(labelled, tight, progress))
    return tight


def _raw(wishes: Wishes, classes: tuple[str, ...], steps: _Steps, progress: Progress) -> Path:
    """The source as a snapshot with a train, a val and a test split."""
    source, raw = wishes.source, wishes.out / "raw"
    if (source / MANIFEST).is_file():
        return _divided(source, wishes, steps)
    settings = ImportSettings(task="detection", classes=classes)
    if source.is_dir():
        names = sorted(str(path.relative_to(source)) for path in source.rglob("*"))
        form = FORMS["pictures"]
        steps.once(raw, names, lambda: import_data_set(form, source, raw, settings, progress))
    else:
        key = [file_sha256(source, "video"), repr(wishes.sampling), str(wishes.truth)]
        steps.once(
            raw,
            key,
            lambda: import_video(source, raw, settings, wishes.sampling, progress, wishes.truth),
        )
    return _divided(raw, wishes, steps)


def _divided(folder: Path, wishes: Wishes, steps: _Steps) -> Path:
    """The snapshot itself, or one divided by time where all of it is one split."""
    if len({item.split for item in read_manifest(folder).items}) > 1:
        return folder
    divided = wishes.out / "divided"
    steps.once(divided, [snapshot_digest(folder)], lambda: split(folder, SplitSettings(), divided))
    return divided


def _compared(wishes: Wishes, labelled: Path, progress: Progress) -> Comparison:
    """Both on one engine, f32, one thread."""
    from edgefactory.compress import Opening, open_model
    from edgefactory.compress.comparing import compare

    engine = _engine()
    specialist = open_model(str(wishes.out / "model.onnx"), Opening(engine=engine))
    master = open_model(wishes.teacher, Opening(engine=engine, classes=wishes.classes))
    return compare(specialist, master, labelled, progress)


def _engine() -> Literal["openvino", "onnxruntime"]:
    return "openvino" if importlib.util.find_spec("openvino") else "onnxruntime"


class _Steps:
    """What has been done in a folder, and what it was done with."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError where the folder holds something else."""
        if folder.exists() and any(folder.iterdir()) and not (folder / _STEPS).is_file():
            raise InputError(f"{folder} holds something else; name a new folder for --out")
        self._path = folder / _STEPS
        self._done: dict[str, str] = {}
        if self._path.is_file():
            self._done = json.loads(self._path.read_text(encoding="utf-8"))
        else:
            self._write()

    def once(self, made: Path, key: list[str], work: Callable[[], object]) -> None:
        """Do `work`, which makes the folder `made`, unless it was done with the same `key`."""
        wanted = digest("\0".join(key).encode())
        if self._done.get(made.name) == wanted and made.exists():
            return
        work()
        self._done[made.name] = wanted
        self._write()

    def _write(self) -> None:
        write_file(self._path, json.dumps(self._done, indent=2).encode())
