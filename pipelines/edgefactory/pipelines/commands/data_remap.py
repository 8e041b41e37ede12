"""Rename, merge or drop classes of a snapshot, all at once: --map car=vehicle --map tree=

Labels whose class changes lose the bound on their error.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "rename, merge or drop classes"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The snapshot and the map."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument("--out", metavar="NEW", required=True, help="the folder of the new one")
    parser.add_argument(
        "--map",
        metavar="OLD=NEW",
        action="append",
        required=True,
        help="a class and what becomes of it; OLD= drops it; may be repeated",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> a new one with other classes."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets import class_map, remap

    screen.progress(0, 0, "mapping classes")
    found = remap(Path(args.snapshot), class_map(args.map), Path(args.out))
    line = (
        f"{found.digest[:12]}: {found.renamed} labels renamed, {found.dropped} dropped; "
        f"classes: {', '.join(found.classes)}"
    )
    if found.bounds_ended:
        line += f"; {found.bounds_ended} bounds on the labels' error no longer hold"
    return Outcome(line, msgspec.to_builtins(found))
