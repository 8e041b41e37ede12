"""What to train and how: the recipe, read from YAML, `params.yaml` or a checkpoint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import yaml

from edgefactory.datasets.errors import InputError

MAX_RECIPE_BYTES = 1 << 20

Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Side = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Task = Literal["detection", "classification", "embedding", "temporal"]

SPECIALIST: Final = "specialist"


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a training picture may differ from the recorded one; 0 switches a change off.

    The defaults suit pictures of any kind; mirror images help where left and right are alike
    (people), and harm where they are not (digits). Of a sequence only the time axis is zoomed
    and shifted.
    """

    flip: Share = 0.0  # probability of a left-right mirror image
    scale: Share = 0.2  # half of the pictures are zoomed by 1 +- this
    shift: Share = 0.1  # a picture is moved by up to this share of its sides
    brightness: Share = 0.15  # grey levels are multiplied by 1 +- this
    offset: Annotated[float, msgspec.Meta(ge=0.0, le=255.0)] = 15.0  # and moved by +- this
    colour: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.0  # hue +- this, saturation 1 +- it
    blur: Share = 0.0  # probability of a slight blur
    paste: Share = 0.0  # probability that people of another picture of the still scene join
    mask: Share = 0.0  # probability that a part is hidden (of a sequence: some steps or features)
    noise: Annotated[float, msgspec.Meta(ge=0.0, le=255.0)] = 0.0  # deviation, grey levels


class Distil(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a teacher's doubts, and pictures without labels, take part.

    `weighting`: a label pulls with weight score ** this; 0 lets all pull alike. `soft`: the share
    of the loss that follows the teacher's soft answers; in detection a peak is asked for as high
    as its label's score, in classification the probabilities of `teacher` (a teacher as in `label
    auto`) at `temperature`. `consistency`: the weight, against the labels', of agreeing with the
    averaged weights on the pictures of the snapshot folder `unlabelled`.
    """

    weighting: NotNegative = 0.0
    soft: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    teacher: str | None = None
    temperature: Positive = 2.0
    consistency: NotNegative = 0.0
    unlabelled: str | None = None


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that decides a training run, beside the snapshot.

    `model` is `specialist` (ours, of any `width` and `depth`), `torchvision/NAME` or `timm/NAME`.
    `weights` is what it starts from: `none`, `hub` (the weights that its library names, fetched
    once), or a path: a checkpoint folder, or a file of weights (.safetensors, .pth).
    `width` is the number of channels at the specialist's main stride (a multiple of 16), and of
    the detector's neck on other models; `depth` the number of convolutions at each of its strides.
    `ema` is what the decay a step of the averaged weights rises to; they are the ones that are
    kept, but 0 keeps the last weights. `patience` ends the run after so many epochs without a
    better value on the val split, and keeps the best epoch; 0 keeps the last one. `balance` evens
    out how often classes are seen: 0 as they come, 1 all alike. `devices` is the number of
    processes or GPUs that share each batch (distributed data parallel), 0 all GPUs.
    """

    task: Task = "detection"
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = SPECIALIST
    weights: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] = "none"
    resolution: tuple[Side, Side] = (384, 288)  # width, height of the network's input
    resize: Literal["pillow-box", "pillow-bilinear"] = "pillow-box"
    fit: Literal["stretch", "letterbox"] = "stretch"
    width: Annotated[int, msgspec.Meta(ge=16, le=1024, multiple_of=16)] = 32
    depth: Annotated[int, msgspec.Meta(ge=1, le=32)] = 1
    detections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64  # most boxes a picture
    embedding: Annotated[int, msgspec.Meta(ge=2, le=4096)] = 64  # numbers in an embedding
    epochs: Count = 30
    batch: Count = 16
    learning_rate: Positive = 0.004
    weight_decay: NotNegative = 0.01
    warmup: Share = 0.1  # share of the steps in which the learning rate rises
    ema: Share = 0.98
    patience: Annotated[int, msgspec.Meta(ge=0)] = 0
    balance: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    precision: Literal["auto", "bf16", "32"] = "auto"  # bf16 where the processor is fast at it
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    threads: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0  # 0: all; 1 is best for tiny pictures
    devices: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 1
    augment: Augment = Augment()
    distil: Distil = Distil()


_ONLY_FOR: Final[Mapping[str, tuple[Task, ...]]] = {
    "detections": ("detection",),
    "embedding": ("embedding",),
}
_AUGMENT_ONLY_FOR: Final[Mapping[str, tuple[Task, ...]]] = {
    "paste": ("detection",),
    "flip": ("detection", "classification", "embedding"),
    "colour": ("detection", "classification", "embedding"),
    "blur": ("detection", "classification", "embedding"),
}


def recipe_from(mapping: Mapping[str, object], where: str) -> Recipe:
    """A checked recipe; `where` names the source in messages, such as "params.yaml: train".

    Raises InputError that names an unknown key with the nearest right one, an ill-typed value, or
    values that do not go together.
    """
    _refuse_unknown(mapping, Recipe, where)
    given = dict(mapping)
    for key, struct in (("augment", Augment), ("distil", Distil)):
        inner = given.get(key)
        if isinstance(inner, Mapping):
            _refuse_unknown(inner, struct, f"{where}.{key}")
        elif inner is None:
            given.pop(key, None)  # a section all of whose keys are comments
    try:
        recipe = msgspec.convert(given, Recipe)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; correct that value") from error
    _check_task(recipe, where)
    _check_sides(recipe, where)
    _check_distil(recipe, where)
    return recipe


def step_of(model: str) -> int:
    """What both sides of a detector's resolution are multiples of: its coarsest stride."""
    return 16 if model == SPECIALIST else 32


def load_recipe(path: Path) -> Recipe:
    """A recipe from a JSON or YAML file. Raises InputError if it cannot be read or is wrong."""
    return recipe_from(read_mapping(path), str(path))


def read_mapping(path: Path) -> dict[str, object]:
    """A recipe's keys and values, unchecked, from a file of at most MAX_RECIPE_BYTES.

    Raises InputError if it cannot be read or is no mapping.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_RECIPE_BYTES + 1)
        if len(raw) > MAX_RECIPE_BYTES:
            raise InputError(f"{path} is larger than {MAX_RECIPE_BYTES} bytes; expected a recipe")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    data = parse_yaml(raw, str(path))
    if not isinstance(data, dict):
        found = "nothing" if data is None else type(data).__name__
        raise InputError(f"{path} holds {found}; expected keys and values")
    return data


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number, as YAML 1.2 and JSON do; PyYAML's 1.1 takes it for a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def parse_yaml(text: bytes | str, where: str) -> Any:
    """What YAML or JSON says; `where` names the source. Raises InputError if it is neither."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{where} is not YAML or JSON: {reason}") from error


def _check_task(recipe: Recipe, where: str) -> None:
    """A key that the task does not read is a mistake, not a wish."""
    for struct, tables, place in (
        (recipe, _ONLY_FOR, where),
        (recipe.augment, _AUGMENT_ONLY_FOR, f"{where}.augment"),
    ):
        for key, tasks in tables.items():
            usual = getattr(type(struct)(), key)
            if recipe.task not in tasks and getattr(struct, key) != usual:
                raise InputError(
                    f"{place}: {key} is for {' and '.join(tasks)}, the task is {recipe.task}; "
                    "remove it"
                )


def _check_sides(recipe: Recipe, where: str) -> None:
    width, height = recipe.resolution
    step = step_of(recipe.model)
    if recipe.task == "detection" and (width % step or height % step):
        raise InputError(
            f"{where}: resolution is {width}x{height}; expected multiples of {step} for detection"
        )


def _check_distil(recipe: Recipe, where: str) -> None:
    distil, where = recipe.distil, f"{where}.distil"
    if distil.consistency and distil.unlabelled is None:
        raise InputError(f"{where}: consistency needs unlabelled: the folder of a snapshot")
    if distil.unlabelled is not None and not distil.consistency:
        raise InputError(f"{where}: unlabelled is given, but consistency is 0; try 1.0")
    if recipe.task == "embedding" and (distil.soft or distil.consistency):
        raise InputError(f"{where}: soft and consistency are not for embedding; remove them")
    follows = distil.soft > 0 and recipe.task in ("classification", "temporal")
    if follows and distil.teacher is None:
        raise InputError(f"{where}: soft needs a teacher, as `onnx:FILE` or `release:DIR`")
    if distil.teacher is not None and not follows:
        raise InputError(
            f"{where}: teacher is for classification with soft above 0; detection takes the "
            "scores of the snapshot's labels"
        )


def _refuse_unknown(
    mapping: Mapping[str, object], struct: type[msgspec.Struct], where: str
) -> None:
    known = struct.__struct_fields__
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise InputError(f"{where}: unknown key {key!r}; {hint}")
