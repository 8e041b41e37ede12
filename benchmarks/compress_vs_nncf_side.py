"""One side of `compress_vs_nncf`, in a process of its own: `SIDE FOLDER MAX_DROP`.

FOLDER holds model.onnx, calibration.npy, `pictures` (a snapshot's path) and gets the result. The
last line on stdout is JSON: validations, the pictures seen in them, processor seconds with those of
children (imports and reading left out for NNCF; ours pays its process's), and what stayed in float.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Placement, preprocess
from edgefactory.compress import engines
from edgefactory.compress.answers import Answer, answer_in
from edgefactory.compress.models import LOWEST
from edgefactory.compress.stated import specification_in
from edgefactory.datasets import Item, load_picture, read_snapshot
from edgefactory.training import Detections, accuracy, ap50
from edgefactory.training import evaluation as ev

UInt8 = npt.NDArray[np.uint8]
Run = Callable[[UInt8], Any]

MODEL, CALIBRATION, PICTURES, CHOSEN = "model.onnx", "calibration.npy", "pictures", "chosen"


@dataclass
class Validator:
    """Judges a model on a split of a snapshot, decoding picture by picture; counts what it does."""

    folder: Path
    split: Any = "val"
    validations: int = 0
    seen: int = 0
    items: Sequence[Item] = field(init=False)

    def __post_init__(self) -> None:
        content = (self.folder / MODEL).read_bytes()
        says = specification_in({MODEL: content}, MODEL)
        assert says is not None
        self.says, self.place = says, Path((self.folder / PICTURES).read_text())
        data = read_snapshot(self.place)
        detection = data.task == "detection"
        self.items = [i for i in data.split(self.split) if detection or ev.has_class(i)]
        self.numbers = {name: number for number, name in enumerate(says.classes)}

    def answers(self, run: Run, places: Iterable[int]) -> list[Answer]:
        """One validation: what `run` says of the pictures at `places`."""
        self.validations += 1
        return [self._answer(run, place) for place in places]

    def _answer(self, run: Run, place: int) -> Answer:
        self.seen += 1
        pixels, where = self.prepared(place)
        return answer_in(self.says.task, run(pixels), where, LOWEST)

    def prepared(self, place: int) -> tuple[UInt8, Placement]:
        """The picture as a batch of one, and where it lies in it."""
        pixels, where = preprocess(load_picture(self.place, self.items[place]), self.says.input)
        return np.ascontiguousarray(pixels[None]), where

    def each(self, answers: Sequence[Answer], places: Sequence[int]) -> list[float]:
        """The figure of each picture alone; 0 where there is nothing to find."""
        pairs = zip(answers, places, strict=True)
        return [self.figure([a], [p]) if self._judgeable(p) else 0.0 for a, p in pairs]

    def _judgeable(self, place: int) -> bool:
        if self.says.task != "detection":
            return True
        return bool((~ev.truth_of(self.items[place], self.numbers).ignore).any())

    def figure(self, answers: Sequence[Answer], places: Sequence[int]) -> float:
        """AP50 or accuracy."""
        chosen = [self.items[place] for place in places]
        if self.says.task == "detection":
            truths = [ev.truth_of(item, self.numbers) for item in chosen]
            return ap50([a for a in answers if isinstance(a, Detections)], truths)
        targets = np.asarray([ev.class_of(item, self.numbers) for item in chosen], np.int64)
        return accuracy(np.stack([np.asarray(a) for a in answers]), targets)


def session_of(folder: Path) -> engines.Session:
    """The chosen model, in OpenVINO at f32 with one thread."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    main = "model.xml" if "model.xml" in files else MODEL
    return engines.load("openvino", files, main, "int8", 1)


def _ours(folder: Path, max_drop: float) -> dict[str, Any]:
    from edgefactory.compress.equalizing import equalized
    from edgefactory.compress.mixed import Margins, PortableForm, Validation, ranked, search

    def load(content: bytes) -> Run:
        return engines.load("openvino", {MODEL: content}, MODEL, "int8", 1).run

    def rank() -> Any:
        return ranked(even, pictures, _quiet)

    validator, fp32, pictures = _opened(folder)
    begun = _seconds()
    every = range(len(validator.items))
    even = equalized(fp32, pictures)
    form = PortableForm(even, pictures)
    reference = validator.answers(load(fp32), every)
    margins = Margins(all=max_drop, slices=None)
    judged = Validation(validator.items, validator.says.classes, reference, margins)
    found = search(
        form.make, lambda made: judged.drops(validator.answers(load(made), every)), rank, _quiet
    )
    (folder / CHOSEN).mkdir()
    (folder / CHOSEN / MODEL).write_bytes(found.model)
    return _said(validator, begun, len(found.chosen.float_layers))


def _nncf(folder: Path, max_drop: float) -> dict[str, Any]:
    """As NNCF's documentation has it: the metric, and its value for each picture."""
    import logging

    import nncf
    import openvino

    from edgefactory.compress import openvino_ir

    nncf.set_log_level(logging.ERROR)
    validator, fp32, pictures = _opened(folder)
    model = openvino_ir._read(fp32)
    model.reshape([1, *pictures[0].shape])
    names = [output.get_any_name() for output in model.outputs]

    def validate(compiled: Any, places: Iterable[int]) -> tuple[float, list[float]]:
        chosen = list(places)

        def run(pixels: UInt8) -> Any:
            found = compiled(pixels)
            return {name: found[i] for i, name in enumerate(names)}

        answers = validator.answers(run, chosen)
        each = validator.each(answers, chosen)
        return validator.figure(answers, chosen) if any(each) else 0.0, each

    begun = _seconds()
    made = nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=nncf.Dataset(pictures, lambda picture: picture[None]),
        validation_dataset=nncf.Dataset(
            list(range(len(validator.items))), lambda place: validator.prepared(place)[0]
        ),
        validation_fn=validate,
        max_drop=max_drop,
        drop_type=nncf.DropType.ABSOLUTE,
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        ignored_scope=nncf.IgnoredScope(names=openvino_ir._tail(model), validate=False),
    )
    (folder / CHOSEN).mkdir()
    openvino.save_model(made, folder / CHOSEN / "model.xml", compress_to_fp16=False)
    return _said(validator, begun, -1)


def _opened(folder: Path) -> tuple[Validator, bytes, list[UInt8]]:
    pictures = np.load(folder / CALIBRATION, allow_pickle=False)
    return Validator(folder), (folder / MODEL).read_bytes(), list(pictures)


def _said(validator: Validator, begun: float, float_layers: int) -> dict[str, Any]:
    return {
        "validations": validator.validations,
        "pictures": validator.seen,
        "seconds": _seconds() - begun,
        "float_layers": float_layers,
    }


def _seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _quiet(*_: object) -> None:
    """Progress that nobody sees."""


def _nncf_without_torch(folder: Path, max_drop: float) -> dict[str, Any]:
    sys.modules["torch"] = None  # type: ignore[assignment]  # how Python is told not to import it
    return _nncf(folder, max_drop)


SIDES: Final = {"ours": _ours, "nncf": _nncf, "nncf-without-torch": _nncf_without_torch}


def main(arguments: Sequence[str]) -> None:
    """Run a side on one core."""
    side, folder, max_drop = arguments
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = SIDES[side](Path(folder), float(max_drop))
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
