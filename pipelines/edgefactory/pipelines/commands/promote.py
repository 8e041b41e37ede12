"""Let a signed release go one ring further: lab, pilot, a percentage of all sites, or the next.

RINGS names the lab and pilot sites and the waves, with what must be heard from one before the
next may begin. The first wave needs nothing; each later one needs --reports and --devices. Twice
the same changes nothing. Exit code 4 says "not yet", with what is missing, also while paused.

`--ring next` takes the next wave of RINGS: for cron or CI, which may run it again and again.
Only the rollout, snapshot and timestamp keys are used.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.rolling import (
    add_place,
    add_witnesses,
    parse_where,
    place_of,
    told,
    witnesses_of,
)
from edgefactory.pipelines.screen import Screen

HELP = "roll a release out, ring by ring"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """What to promote, how far, and by which evidence."""
    parser.add_argument(
        "release", metavar="RELEASE", help="what was signed: MODEL@VERSION, or the release's folder"
    )
    parser.add_argument("--ring", required=True, metavar="lab|pilot|PERCENT|next", help="how far")
    parser.add_argument(
        "--where",
        action="append",
        metavar="KEY=VALUE,…",
        help="only hw_class=…, region=…, site=…; left out: as before; `everywhere`: all",
    )
    parser.add_argument(
        "--rings", metavar="FILE", default="rings.yaml", help="rings and waves (rings.yaml)"
    )
    add_witnesses(parser)
    add_place(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """Read the reports, decide, sign."""
    from pathlib import Path

    from edge_runtime.contract import Release, read
    from edgefactory.registry.rollouts import Goal, parse_name, promote, read_rings

    document = Path(args.release) / "release.json"
    if document.is_file():
        release = read(document, Release)
        model, version = release.name, release.version
    else:
        model, version = parse_name(args.release)
    goal = Goal(model, version, args.ring, parse_where(args.where))
    witnesses = witnesses_of(args)
    step = promote(place_of(args), goal, read_rings(Path(args.rings)), witnesses)
    return told(step, "rolls out", screen)
