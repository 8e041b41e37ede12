"""Stop a rollout where it stands: sites that have the release keep it, no other site starts.

Sites outside of the rings go on running what every site ran before. Twice changes nothing.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.rolling import add_place, place_of, told
from edgefactory.pipelines.screen import Screen

HELP = "stop a rollout where it stands"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The model."""
    parser.add_argument("model", metavar="MODEL", help="the model's name")
    add_place(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """Sign the rollout anew."""
    from edgefactory.registry.rollouts import pause

    return told(pause(place_of(args), args.model), "no site starts any more", screen)
