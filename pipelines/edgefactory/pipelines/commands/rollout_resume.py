"""Let a paused rollout go on: the sites in its ring may start again.

Widening it then takes reports that are newer than this. Twice changes nothing.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.rolling import add_place, place_of, told
from edgefactory.pipelines.screen import Screen

HELP = "let a paused rollout go on"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The model."""
    parser.add_argument("model", metavar="MODEL", help="the model's name")
    add_place(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """Sign the rollout anew."""
    from edgefactory.registry.rollouts import resume

    return told(resume(place_of(args), args.model), "sites may start", screen)
