"""`--set KEY=VALUE` puts single values into a recipe."""

import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.pipelines.overrides import overridden


def test_values_are_yaml_and_dots_lead_into_sections() -> None:
    recipe = {"epochs": 30, "augment": {"flip": 0.5, "scale": 0.1}}
    given = [
        *("epochs=60", "learning_rate=1e-3", "augment.flip=0", "distil.teacher=onnx:m.onnx"),
        *("resolution=[64, 48]", "model=timm/resnet18"),
    ]
    assert overridden(recipe, given) == {
        "epochs": 60,
        "learning_rate": 0.001,
        "model": "timm/resnet18",
        "resolution": [64, 48],
        "augment": {"flip": 0, "scale": 0.1},
        "distil": {"teacher": "onnx:m.onnx"},
    }
    assert recipe == {"epochs": 30, "augment": {"flip": 0.5, "scale": 0.1}}


def test_a_section_that_is_all_comments_takes_values() -> None:
    assert overridden({"distil": None}, ["distil.soft=0.5"]) == {"distil": {"soft": 0.5}}


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("epochs", r"--set epochs: expected KEY=VALUE, as augment\.flip=0\.5"),
        ("=3", "expected KEY=VALUE"),
        ("epochs.x=3", "--set epochs.x=3: epochs is 30, not a section of keys"),
        ("epochs=[", r"--set epochs=\[ is not YAML"),
    ],
)
def test_what_is_no_pair_is_named(pair: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        overridden({"epochs": 30}, [pair])
