"""What `train`, `specialise` and `tune` share: the recipe that the command line asks for."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.datasets import Snapshot
    from edgefactory.training import Recipe


def recipe_options(parser: ArgumentParser) -> None:
    """Add --recipe and --set."""
    parser.add_argument(
        "--recipe", metavar="NAME|FILE", help="one that ships, or a file (default: by the snapshot)"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a value of the recipe, as epochs=60 or augment.flip=0.5; give it again for more",
    )


def chosen_recipe(
    args: Namespace, snapshot: "Snapshot", usual: Mapping[str, str] | None = None
) -> "Recipe":
    """The recipe for a snapshot; `usual` names another than the task's own, by task.

    Raises InputError for what the recipe or --set has wrong.
    """
    from edgefactory.pipelines.overrides import overridden
    from edgefactory.training import fitted, recipe_from, recipe_named, task_of

    task = task_of(snapshot)
    name = args.recipe or (usual or {}).get(task, task)
    wanted = overridden(recipe_named(name), args.set)
    return recipe_from(fitted(wanted, snapshot), f"{name} with --set" if args.set else name)
