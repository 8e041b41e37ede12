"""Take a release back: sites go to an earlier signed release, at once.

Without --to it is the base: the release that had reached every site before this rollout began, and
all sites go back to it. Where there is no base, --to names a release, and only sites that run
something newer go back. Never below the floor: older weights can then only come back as a new
release. Twice changes nothing.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.rolling import add_place, place_of, told
from edgefactory.pipelines.screen import Screen

HELP = "take a release back"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The model, and where to go back to."""
    parser.add_argument("model", metavar="MODEL", help="the model's name")
    parser.add_argument("--to", metavar="VERSION", help="an earlier version that was signed")
    add_place(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """Sign the way back."""
    from edgefactory.registry.rollouts import rollback

    step = rollback(place_of(args), args.model, args.to)
    return told(step, "sites go back to it", screen)
