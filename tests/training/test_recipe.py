"""A recipe is read strictly, and a message names the key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.contract import encode
from edgefactory.datasets.errors import InputError
from edgefactory.training import Recipe, load_recipe, recipe_from


def test_what_is_not_given_has_its_default() -> None:
    recipe = recipe_from({"epochs": 3, "augment": {"flip": 0.5}}, "params.yaml: train")
    assert recipe.epochs == 3
    assert recipe.augment.flip == 0.5
    assert recipe.task == "detection"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"epoch": 3}, r"params: unknown key 'epoch'; did you mean 'epochs'\?"),
        ({"augment": {"filp": 0.5}}, r"params.augment: unknown key 'filp'; did you mean 'flip'\?"),
        ({"zzz": 1}, "unknown key 'zzz'; known keys: task, model, weights"),
        ({"epochs": "many"}, r"params: Expected `int`, got `str` - at `\$.epochs`"),
        ({"width": 33}, r"multiple of 16.*\$.width"),
        ({"task": "poetry"}, r"\$.task"),
        ({"resolution": [100, 96]}, "resolution is 100x96; expected multiples of 16"),
        ({"resize": "pillow-cubic"}, r"\$.resize"),
    ],
)
def test_a_wrong_recipe_is_refused_by_key(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe_from(mapping, "params")


def test_a_recipe_comes_back_from_json_and_yaml(tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, seed=5)
    written = tmp_path / "recipe.json"
    written.write_bytes(encode(recipe))
    assert load_recipe(written) == recipe
    (tmp_path / "recipe.yaml").write_text("epochs: 2\nseed: 5\n")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_a_section_of_comments_alone_is_left_out() -> None:
    assert recipe_from({"augment": None, "distil": None}, "mine.yaml") == Recipe()


@pytest.mark.parametrize("number", ["1e-3", "1.0e-3", "0.001", ".001", "+1E-3"])
def test_numbers_are_read_as_people_write_them(tmp_path: Path, number: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"learning_rate: {number}\n")
    assert load_recipe(path).learning_rate == 0.001


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "epochs: 0"])
def test_a_broken_recipe_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        load_recipe(path)


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.yaml"):
        load_recipe(tmp_path / "absent.yaml")


def test_an_empty_recipe_file_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("# epochs: 3\n")
    with pytest.raises(InputError, match=r"recipe\.yaml holds nothing; expected keys and values"):
        load_recipe(path)
