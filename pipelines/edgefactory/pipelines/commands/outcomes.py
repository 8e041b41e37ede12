"""What a release decides on each test picture of a snapshot, for the gate to compare with.

Every variant of RELEASE that can run here is asked about the test split of SNAP. The gate takes
the file by `--against RELEASE --outcomes FILE`, and needs neither the pictures nor an engine.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "what a release decides on each test picture, for the gate"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The release, the snapshot, and the file."""
    parser.add_argument("release", metavar="RELEASE", help="a release's folder")
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of a snapshot")
    parser.add_argument("--out", metavar="FILE", required=True, help="the outcomes, as JSON")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A release and a snapshot -> outcomes."""
    screen.progress(0, 0, "opening the release")
    from edgefactory.compress.outcomes import release_outcomes
    from edgefactory.datasets.files import write_file
    from edgefactory.datasets.outcomes import encode_outcomes, figure

    found = release_outcomes(Path(args.release), Path(args.snapshot), screen.progress)
    out = Path(args.out)
    write_file(out, encode_outcomes(found))
    figures = {one.subject: figure(found, one) for one in found.subjects}
    names = ", ".join(figures)
    return Outcome(f"{out}: {names} on {len(found.pictures)} test pictures", {"figures": figures})
