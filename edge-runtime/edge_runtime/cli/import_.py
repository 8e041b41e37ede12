"""Update one model from a stick that was made for this site's region; no network is asked."""

import argparse
from pathlib import Path

from edge_runtime.cli.console import Console
from edge_runtime.cli.once import add_wish, say
from edge_runtime.cli.options import state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `import`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the stick's folder")
    add_wish(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Update, and say what is active now."""
    from edge_runtime.update import Wish, from_stick

    wish = Wish(options.model, options.engine, options.threads)
    say(from_stick(state_of(options), options.folder, wish, console.progress), console)
