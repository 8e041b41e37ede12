"""Divide a snapshot's pictures anew into train, val and test, by time or by source.

Never by random picture: neighbouring frames are all but equal. By time, each source is cut in its
own order, and a gap before each cut is left out. By source, whole sources go into one split.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "divide a snapshot anew by time or source"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The snapshot and the shares."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument("--out", metavar="NEW", required=True, help="the folder of the new one")
    parser.add_argument("--by", choices=("time", "source"), default="time")
    parser.add_argument("--val", type=float, default=0.1, help="share (default: 0.1)")
    parser.add_argument("--test", type=float, default=0.2, help="share (default: 0.2)")
    parser.add_argument(
        "--gap",
        type=float,
        default=0.02,
        help="share of a source's duration, left out before each cut (default: 0.02)",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> a new one with other splits."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets import SplitSettings, split

    settings = SplitSettings(args.by, args.val, args.test, args.gap)
    screen.progress(0, 0, "dividing")
    found = split(Path(args.snapshot), settings, Path(args.out))
    counts = ", ".join(f"{count} {name}" for name, count in found.splits.items())
    line = f"{found.digest[:12]}: {counts}; {found.gap} left out in gaps"
    if found.bounds_ended:
        line += f"; {found.bounds_ended} bounds on the labels' error no longer hold"
    return Outcome(line, msgspec.to_builtins(found))
