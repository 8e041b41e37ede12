"""`--set KEY=VALUE`: single values of a recipe, given on the command line."""

from collections.abc import Mapping, Sequence

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import parse_yaml


def overridden(recipe: Mapping[str, object], given: Sequence[str]) -> dict[str, object]:
    """The keys and values with those of `given` in their place; values are YAML.

    `augment.flip=0.5` goes into the section `augment`. Raises InputError for what is no
    `KEY=VALUE`, or where a section has a value already.
    """
    made = dict(recipe)
    for pair in given:
        key, equals, text = pair.partition("=")
        if not (equals and key):
            raise InputError(f"--set {pair}: expected KEY=VALUE, as augment.flip=0.5")
        *sections, last = key.split(".")
        place = made
        for name in sections:
            inner = place.get(name) or {}
            if not isinstance(inner, Mapping):
                raise InputError(f"--set {pair}: {name} is {inner!r}, not a section of keys")
            section = dict(inner)
            place[name] = section
            place = section
        place[last] = parse_yaml(text, f"--set {pair}")
    return made
