"""Recipes of training: list those that ship, print one to begin your own with, check a file.

Without NAME the list; with NAME its YAML, in which every key is explained: begin with
`edgefactory recipe detection > mine.yaml`, go on with `edgefactory train SNAP --recipe mine.yaml`.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.training import Recipe

HELP = "list, print and check the recipes of training"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """A shipped recipe, or a file."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", metavar="NAME", nargs="?", help="the recipe to print")
    which.add_argument("--check", metavar="FILE", help="say whether a recipe of your own is right")


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A name or a file -> what it says."""
    from pathlib import Path

    import msgspec

    from edgefactory.training import load_recipe, shipped_recipes, shipped_text

    if args.check is not None:
        recipe = load_recipe(Path(args.check))
        return Outcome(f"{args.check} is right: {_says(recipe)}", msgspec.to_builtins(recipe))
    if args.name is not None:
        text = shipped_text(args.name)
        return Outcome(text.rstrip(), {"name": args.name, "text": text})
    known = shipped_recipes()
    width = max(map(len, known))
    return Outcome("\n".join(f"{name:<{width}}  {says}" for name, says in known.items()), known)


def _says(recipe: "Recipe") -> str:
    weights = "" if recipe.weights == "none" else f" from {recipe.weights}"
    return f"{recipe.task} by {recipe.model}{weights}, {recipe.epochs} epochs"
