"""Options that several commands share."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.state import State


def state_of(options: argparse.Namespace) -> "State":
    """The state folder that the options name, or the default one."""
    from edge_runtime.state import State, default_folder

    return State(options.state or default_folder())


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model`, where the only active one is meant when it is left out."""
    parser.add_argument("--model", metavar="NAME", help="the model (the only active one)")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """`--threads` of the engine."""
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N", help="CPU threads of the engine (1)"
    )


def count(text: str) -> int:
    """A whole number from 1 to 256."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 256")
    return number


def index(text: str) -> int:
    """A whole number from 0 up."""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)
