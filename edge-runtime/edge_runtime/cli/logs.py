"""Print what the daemon has logged: a line of JSON for each thing that happened."""

import argparse
import sys

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import state_of

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `logs`."""
    parser.add_argument("--follow", action="store_true", help="go on as lines are written")
    parser.add_argument(
        "--since",
        type=_age,
        metavar="AGE",
        help="only what is younger, as 30s, 15m, 2h or 7d (left out: all that is kept)",
    )


def run(options: argparse.Namespace, _console: Console) -> None:
    """Print the lines, the oldest first; they are JSON with or without --json."""
    import time

    from edge_runtime.daemon import logs
    from edge_runtime.errors import MissingError

    folder = state_of(options).logs
    if not folder.is_dir() and not options.follow:
        raise MissingError(f"{folder} does not exist: no daemon has run here; `edge-runtime run`")
    since = time.time() - options.since if options.since is not None else 0.0
    coming = logs.follow(folder) if options.follow else iter(())
    for line in logs.read(folder, since):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    for line in coming:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _age(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not (number.isascii() and number.isdigit() and len(number) < 9):
        raise argparse.ArgumentTypeError(f"{text!r} is no age; say 30s, 15m, 2h or 7d")
    return float(int(number) * UNITS[unit])
