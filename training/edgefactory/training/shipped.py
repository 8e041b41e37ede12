"""The recipes that ship: commented YAML to run as it is, or to begin one's own with."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import parse_yaml, read_mapping

_FOLDER: Final = Path(__file__).with_name("recipes")


def shipped_recipes() -> dict[str, str]:
    """The names of the recipes, sorted, each with what it is for in a line."""
    return {name: shipped_text(name).splitlines()[0].removeprefix("# ") for name in _names()}


def shipped_text(name: str) -> str:
    """The YAML of a shipped recipe, comments and all. Raises InputError for any other name."""
    if name not in _names():
        raise InputError(f"no recipe {name!r} ships; {_hint(name)}")
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def recipe_named(name: str) -> dict[str, object]:
    """The keys and values of a shipped recipe, or of the file `name`; `recipe_from` checks them.

    Raises InputError, with the nearest right name, where there is neither.
    """
    if name in _names():
        found: dict[str, object] = parse_yaml(shipped_text(name), name)
        return found
    path = Path(name).expanduser()
    if path.exists():
        return read_mapping(path)
    raise InputError(f"recipe {name}: no such file, and none of that name ships; {_hint(name)}")


def _names() -> list[str]:
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def _hint(name: str) -> str:
    known = _names()
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
