"""What to train and how: the recipe, read from `params.yaml` or from a checkpoint."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from edgefactory.datasets.errors import InputError

MAX_RECIPE_BYTES = 1 << 20

Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Side = Annotated[int, msgspec.Meta(ge=8, le=4096)]


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a training picture may differ from the recorded one; 0 switches a change off.

    The defaults suit pictures of any kind; mirror images help where left and right are alike
    (people), and harm where they are not (digits).
    """

    flip: Share = 0.0  # probability of a left-right mirror image
    scale: Share = 0.2  # a picture is zoomed by 1 +- this
    shift: Share = 0.1  # a picture is moved by up to this share of its sides
    brightness: Share = 0.15  # grey levels are multiplied by 1 +- this
    offset: Annotated[float, msgspec.Meta(ge=0.0, le=255.0)] = 15.0  # and moved by +- this
    paste: Share = 0.0  # probability that people of another picture of the still scene join
    noise: Annotated[float, msgspec.Meta(ge=0.0, le=255.0)] = 0.0  # deviation, grey levels


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that decides a training run, beside the snapshot.

    `width` is the number of channels at the network's main stride (a multiple of 16); `depth` the
    number of 3x3 convolutions at each of its strides. `ema` is the decay a step of the averaged
    weights, which are the ones that are kept; 0 keeps the last weights.
    """

    task: Literal["detection", "classification"] = "detection"
    resolution: tuple[Side, Side] = (384, 288)  # width, height of the network's input
    resize: Literal["pillow-box", "pillow-bilinear"] = "pillow-box"
    fit: Literal["stretch", "letterbox"] = "stretch"
    width: Annotated[int, msgspec.Meta(ge=16, le=1024, multiple_of=16)] = 32
    depth: Annotated[int, msgspec.Meta(ge=1, le=32)] = 1
    detections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64  # most boxes a picture
    epochs: Count = 30
    batch: Count = 16
    learning_rate: Positive = 0.004
    weight_decay: Annotated[float, msgspec.Meta(ge=0.0)] = 0.01
    warmup: Share = 0.1  # share of the steps in which the learning rate rises
    ema: Share = 0.98
    precision: Literal["auto", "bf16", "32"] = "auto"  # bf16 where the processor is fast at it
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    threads: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0  # 0: all; 1 is best for tiny pictures
    augment: Augment = Augment()


def recipe_from(mapping: Mapping[str, object], where: str) -> Recipe:
    """A checked recipe; `where` names the source in messages, such as "params.yaml: train".

    Raises InputError that names an unknown key with the nearest right one, or an ill-typed value.
    """
    _refuse_unknown(mapping, Recipe, where)
    augment = mapping.get("augment")
    if isinstance(augment, Mapping):
        _refuse_unknown(augment, Augment, f"{where}.augment")
    try:
        recipe = msgspec.convert(mapping, Recipe)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; correct that value") from error
    width, height = recipe.resolution
    if recipe.task == "detection" and (width % 16 or height % 16):
        raise InputError(
            f"{where}: resolution is {width}x{height}; expected multiples of 16 for detection"
        )
    return recipe


def load_recipe(path: Path) -> Recipe:
    """A recipe from a JSON or YAML file. Raises InputError if it cannot be read or is wrong."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_RECIPE_BYTES + 1)
        if len(raw) > MAX_RECIPE_BYTES:
            raise InputError(f"{path} is larger than {MAX_RECIPE_BYTES} bytes; expected a recipe")
        data = yaml.safe_load(raw)
    except OSError as error:
        raise InputError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not YAML or JSON: {reason}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds {type(data).__name__}; expected a recipe's keys and values")
    return recipe_from(data, str(path))


def _refuse_unknown(
    mapping: Mapping[str, object], struct: type[msgspec.Struct], where: str
) -> None:
    known = struct.__struct_fields__
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise InputError(f"{where}: unknown key {key!r}; {hint}")
