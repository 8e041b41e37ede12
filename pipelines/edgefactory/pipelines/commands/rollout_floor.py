"""Raise the floor: no site may ever run anything older than this version again.

A floor never falls, and sites keep it in a store of their own. It is refused while sites are told
to run something older. Twice changes nothing.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.rolling import add_place, place_of, told
from edgefactory.pipelines.screen import Screen

HELP = "forbid everything older than a version, for ever"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The oldest version that may run."""
    parser.add_argument("release", metavar="MODEL@VERSION", help="the oldest that may run")
    add_place(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """Sign the floor."""
    from edgefactory.registry.rollouts import parse_name, raise_floor

    model, version = parse_name(args.release)
    step = raise_floor(place_of(args), model, version)
    return told(step, f"floor at {version}, sequence {step.rollout.floor}", screen)
