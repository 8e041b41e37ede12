"""Go back to the release that ran before; the one that is left is not taken again."""

import argparse

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_threads, state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `rollback`."""
    parser.add_argument("--model", required=True, metavar="NAME", help="the model")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; it goes into the report")
    add_threads(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Prove the previous release on this box once more, and switch to it."""
    from edge_runtime.rollback import roll_back

    slot, left = roll_back(state_of(options), options.model, options.reason, options.threads)
    value = {"model": options.model, "active": slot, "left": left}
    lines = (
        f"{options.model} {slot.version} is active again; {left.version} is not taken again here",
        "a running daemon follows within seconds",
    )
    console.result(value, lines)
