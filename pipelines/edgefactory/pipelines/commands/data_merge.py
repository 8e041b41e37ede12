"""Make one snapshot of several.

A picture that is in more than one of them is taken from the one in which people have spoken; where
they contradict each other there, say whom to believe with --prefer. All must have the same classes:
what one lacks nobody has looked for there, so rename or drop it with --map.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "several snapshots as one"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Which, and how they become one."""
    parser.add_argument("snapshots", metavar="SNAP", nargs="+", help="folders of snapshots")
    parser.add_argument("--out", metavar="NEW", required=True, help="the folder of the new one")
    parser.add_argument("--name", help="its name (default: that of the first)")
    parser.add_argument(
        "--map",
        metavar="OLD=NEW",
        action="append",
        default=[],
        help="rename a class first, or drop it (OLD=); may be repeated",
    )
    parser.add_argument(
        "--prefer", metavar="SNAP", help="one of the snapshots, whose people are right"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """Snapshots -> a new one."""
    from pathlib import Path

    from edgefactory.datasets import MergeSettings, class_map, merge
    from edgefactory.datasets.errors import InputError

    folders = [Path(name) for name in args.snapshots]
    if len(folders) < 2:
        raise InputError("one snapshot cannot be merged; name two or more")
    if args.prefer is not None and Path(args.prefer) not in folders:
        raise InputError(f"--prefer {args.prefer} is none of the snapshots; name one as given")
    prefer = None if args.prefer is None else folders.index(Path(args.prefer))
    screen.progress(0, 0, "merging")
    settings = MergeSettings(args.name, class_map(args.map), prefer)
    digest, union = merge(folders, settings, Path(args.out))
    line = f"{digest[:12]}: {union.pictures} pictures, {union.shared} of them in more than one"
    if union.bounds_ended:
        line += f"; {union.bounds_ended} bounds on the labels' error no longer hold"
    return Outcome(
        line,
        {
            "sha256": digest,
            "pictures": union.pictures,
            "shared": union.shared,
            "bounds_ended": union.bounds_ended,
        },
    )
