"""Every shipped recipe is right, explains each key of its task, and tells the truth of defaults."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import yaml

from edgefactory.datasets import Item, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.training import (
    Recipe,
    fitted,
    recipe_from,
    recipe_named,
    shipped_recipes,
    shipped_text,
)

ROOT = Path(__file__).parents[2]
TASKS = ("classification", "detection", "embedding", "temporal")
DEFAULTS = msgspec.to_builtins(Recipe())

# What a task does not read; sequences are taken as they are, so nothing is resized.
UNREAD = {
    "detection": {"embedding", "distil.teacher", "distil.temperature"},
    "classification": {"embedding", "detections", "augment.paste"},
    "embedding": {
        "detections",
        "augment.paste",
        *("distil.soft", "distil.teacher", "distil.temperature"),
        *("distil.consistency", "distil.unlabelled"),
    },
    "temporal": {
        *("embedding", "detections", "resize", "fit"),
        *("augment.paste", "augment.flip", "augment.colour", "augment.blur"),
    },
}


def flat(values: Mapping[str, object], inside: str = "") -> dict[str, object]:
    """Dotted keys and their values."""
    found: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{inside}{key}.")
        else:
            found[inside + key] = value
    return found


def with_its_comments(name: str) -> dict[str, object]:
    """The recipe with every `#key: value` as if it were one of its lines."""
    text = re.sub(r"^( *)#(\w+:)", r"\1\2", shipped_text(name), flags=re.MULTILINE)
    return flat(yaml.safe_load(text))


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_right_and_says_what_it_is_for(name: str) -> None:
    recipe = recipe_from(recipe_named(name), name)
    assert recipe.task in TASKS
    assert len(shipped_recipes()[name]) > 30
    assert shipped_text(name).isascii()


@pytest.mark.parametrize("task", TASKS)
def test_every_key_that_a_task_reads_is_there_with_what_it_does(task: str) -> None:
    assert recipe_from(recipe_named(task), task).task == task
    named = set(with_its_comments(task)) | {"resolution"}  # which follows from the snapshot
    assert named == flat(DEFAULTS).keys() - UNREAD[task]
    assert "# resolution: [" in shipped_text(task)
    text = shipped_text(task).splitlines()
    for number, line in enumerate(text):
        if re.match(r" *#?\w+: .", line) and not line.startswith("task:"):
            above = text[number - 1].strip()
            assert above.startswith("#"), f"{task}: nothing is said of {line.strip()}"


@pytest.mark.parametrize("task", TASKS)
def test_what_a_comment_gives_as_the_default_is_the_default(task: str) -> None:
    active = flat(recipe_named(task))
    usual = flat(DEFAULTS)
    commented = {k: v for k, v in with_its_comments(task).items() if k not in active}
    assert len(commented) > 20
    assert commented == {key: usual[key] for key in commented}


def test_the_scene_specialist_is_what_the_demo_trains() -> None:
    demo = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    frame = Item("0" * 64, "images/0.png", 768, 576, "clip", 0, 0.0, "train", ())
    clip = Snapshot("clip", "detection", ("person",), "human", None, (frame,))
    found = fitted(recipe_named("scene-specialist"), clip)
    assert recipe_from(found, "recipe") == recipe_from(demo, "demo")


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("epochs: 3\nlearning_rate: 1e-3\n")
    assert recipe_named(str(mine)) == {"epochs": 3, "learning_rate": 0.001}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("detecton", "recipe detecton: no such file.*; did you mean 'detection'?"),
        ("mine.yaml", r"recipe mine.yaml: no such file.*; there are classification, detection,"),
    ],
)
def test_a_recipe_that_is_not_there_is_named(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        recipe_named(name)


def test_the_recipes_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    for name in shipped_recipes():
        assert f"edgefactory/training/recipes/{name}.yaml" in names
