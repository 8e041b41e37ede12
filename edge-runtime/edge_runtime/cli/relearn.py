"""Take what a stream's camera shows now as what it should: it was moved on purpose."""

import argparse

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `relearn`."""
    parser.add_argument("stream", metavar="STREAM", help="its name in daemon.toml")


def run(options: argparse.Namespace, console: Console) -> None:
    """Remove what is kept of the camera; a running daemon learns it anew from the next pictures."""
    from edge_runtime import durable
    from edge_runtime.errors import MissingError

    folder = state_of(options).cameras
    with durable.storage(folder):
        kept = {file.stem: file for file in folder.glob("*.json")}
    if options.stream not in kept:
        known = ", ".join(sorted(kept)) or "none"
        raise MissingError(f"nothing is kept of a stream {options.stream!r} (kept: {known})")
    durable.remove(kept[options.stream])
    line = f"what {options.stream} shows is learned anew; it should show now what it is to show"
    console.result({"stream": options.stream}, (line,))
