"""Open-vocabulary detectors: the classes are words, the weights are in a local folder.

OWL-ViT and OWLv2 (Minderer 2022, 2023) score each box against each class's text. Grounding DINO
(Liu 2023) scores each box against each token of all classes in one text; a class's score is the
mean over its tokens, as GLIP (Li 2022) has it. The folder is what `save_pretrained` writes; only
safetensors are read, nothing is downloaded and no code of the folder is run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct

from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import file_sha256
from edgefactory.datasets.onnx_sessions import first_line
from edgefactory.datasets.teachers.found import Floats, Found, Pixels, check_picture, detected
from edgefactory.datasets.teachers.geometry import from_centres, suppress_by_class
from edgefactory.datasets.teachers.graphs import combined
from edgefactory.datasets.teachers.spec import EngineSettings, TeacherSpec, options_of
from edgefactory.datasets.teachers.torchvision_models import Device, check_device, set_threads

_IOU: Final = 0.5
_OWL_PROMPT: Final = "a photo of a {}"  # as it was trained

Reading = Callable[[Any], Floats]
"""The model's logits [B,Q,T] to scores [B,Q,C]."""


class OpenOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """`device` is where torch computes."""

    device: Device = "cpu"


@dataclass(frozen=True)
class OpenTeacher:
    """A zero-shot detector of `transformers` with its classes as tokens."""

    classes: tuple[str, ...]
    digest: str
    model: Any
    images: Any  # the model's image processor
    tokens: Any  # its classes, of one picture
    reading: Reading
    padded: bool  # boxes are shares of the picture padded to a square
    device: Device
    min_score: float
    task: Task = "detection"

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`."""
        import torch

        if not pictures:
            return []
        for picture in pictures:
            check_picture(picture)
        inputs = self.images(images=list(pictures), return_tensors="pt")
        for name, value in self.tokens.items():
            inputs[name] = value.repeat(len(pictures), 1)
        with torch.inference_mode():
            output = self.model(**inputs.to(self.device))
        scores = self.reading(output.logits)
        boxes = output.pred_boxes.float().cpu().numpy()
        answers = zip(boxes, scores, pictures, strict=True)
        return [self._found(*answer) for answer in answers]

    def _found(self, boxes: Floats, scores: Floats, picture: Pixels) -> Found:
        high, wide = picture.shape[:2]
        size = (max(high, wide),) * 2 if self.padded else (wide, high)
        best, values = scores.argmax(axis=1), scores.max(axis=1)
        likely = values >= self.min_score
        corners = from_centres(boxes[likely]) * np.asarray([*size, *size], np.float32)
        keep = suppress_by_class(corners, values[likely], best[likely], _IOU)
        return detected(corners[keep], values[likely][keep], best[likely][keep], (wide, high))


def open_vocabulary(spec: TeacherSpec, path: Path, engine: EngineSettings) -> OpenTeacher:
    """The detector in the folder `path`, told to look for the classes of `spec`.

    Raises `InputError` when the folder holds no such detector in safetensors, `MissingError`
    when `transformers` is not installed. Torch's number of threads is that of the whole process.
    """
    if not spec.classes:
        raise InputError(f"teacher {path}: say what to look for (--classes a,b)")
    options = options_of(spec, OpenOptions)
    check_device(options.device)
    digest = _digest(path)
    model, tokenizer, images = _read(path)
    kind = model.config.model_type
    if kind not in _TOKENISERS:
        known = ", ".join(sorted(_TOKENISERS))
        raise InputError(f"teacher {path} is a {kind}; expected one of {known}")
    tokens, reading = _TOKENISERS[kind](tokenizer, spec.classes, model.config)
    set_threads(engine.threads)
    return OpenTeacher(
        spec.classes,
        digest,
        model.eval().to(options.device),
        images,
        tokens,
        reading,
        kind == "owlv2",
        options.device,
        spec.min_score,
    )


def _read(path: Path) -> tuple[Any, Any, Any]:
    """The model, the tokenizer and the image processor in the folder `path`."""
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import (
            AutoImageProcessor,
            AutoModelForZeroShotObjectDetection,
            AutoTokenizer,
        )
    except ImportError as error:
        raise MissingError(
            "transformers is not installed: pip install 'edgefactory[open-vocabulary]'"
        ) from error
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        model, told = AutoModelForZeroShotObjectDetection.from_pretrained(
            path, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **here
        )
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, **here)
        images = AutoImageProcessor.from_pretrained(path, **here)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"teacher {path} is no open-vocabulary detector: {first_line(error)}"
        ) from error
    if told["missing_keys"]:  # transformers would leave them at random
        raise InputError(f"teacher {path} lacks weights, as {min(told['missing_keys'])}")
    return model, tokenizer, images


def _digest(folder: Path) -> str:
    """SHA-256 over the folder's weights and settings; `InputError` without safetensors."""
    if not folder.is_dir() or not any(folder.glob("*.safetensors")):
        raise InputError(f"teacher {folder}: expected a folder with .safetensors and config.json")
    files = [p for p in folder.iterdir() if p.suffix in {".safetensors", ".json", ".txt"}]
    return combined({path.name: file_sha256(path, "teacher") for path in files})


def _owl(tokenizer: Any, classes: tuple[str, ...], config: Any) -> tuple[Any, Reading]:
    """A text for each class; the logits have one column for each."""
    tokens = tokenizer(
        [_OWL_PROMPT.format(name) for name in classes],
        padding="max_length",
        truncation=True,
        max_length=config.text_config.max_position_embeddings,
        return_tensors="pt",
    )
    wanted = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    return wanted, lambda logits: logits.float().sigmoid().cpu().numpy()


def _grounding(tokenizer: Any, classes: tuple[str, ...], config: Any) -> tuple[Any, Reading]:
    """All classes in one text, each ended by a full stop, as the model was trained."""
    names = [" ".join(name.lower().split()) for name in classes]
    if any("." in name or not name for name in names):
        raise InputError(f"teacher open-vocabulary: a class has a full stop or no word: {names}")
    text = ". ".join(names) + "."
    tokens = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    spans = tokens.pop("offset_mapping")[0].numpy()
    if len(spans) > config.max_text_len:
        raise InputError(
            f"teacher open-vocabulary: {len(classes)} classes are {len(spans)} tokens; the model "
            f"takes {config.max_text_len}: name fewer"
        )
    shares = np.zeros((len(spans), len(names)), np.float32)
    start = 0
    for index, name in enumerate(names):
        end = start + len(name)
        inside = (spans[:, 0] >= start) & (spans[:, 1] <= end) & (spans[:, 1] > spans[:, 0])
        shares[inside, index] = 1 / max(1, inside.sum())
        start = end + 2  # the full stop and the blank

    def read(logits: Any) -> Floats:
        values: Floats = logits.float().sigmoid().cpu().numpy()[..., : len(shares)] @ shares
        return values

    return tokens, read


_TOKENISERS: Final[dict[str, Callable[[Any, tuple[str, ...], Any], tuple[Any, Reading]]]] = {
    "owlvit": _owl,
    "owlv2": _owl,
    "grounding-dino": _grounding,
    "mm-grounding-dino": _grounding,
}
