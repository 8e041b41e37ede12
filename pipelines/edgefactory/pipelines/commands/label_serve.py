"""Bring up a Label Studio of one's own on 127.0.0.1, and serve it until Ctrl-C.

The first time it is installed in an environment of its own in the cache (about 1 GB, some
minutes). How to log in is in server.json in the data folder, which only its owner can read;
`label push`, `label pull` and `label status` find it there.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.labelling import add_data_option
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "bring up a local Label Studio"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Where its data lies, and where it listens."""
    add_data_option(parser)
    parser.add_argument(
        "--port", type=int, default=8080, metavar="N", help="0 takes a free one (default: 8080)"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """Serve until interrupted."""
    from pathlib import Path

    from edgefactory.datasets.studio import default_data, serve

    data = Path(args.data) if args.data else default_data()
    with serve(data, args.port, screen.progress) as server:
        url = server.account.url
        screen.success(
            f"Label Studio is at {url}; user and password are in {data / 'server.json'}. "
            "Ctrl-C stops it."
        )
        try:
            server.wait()
        except KeyboardInterrupt:  # how a server is meant to end
            return Outcome(f"{url} is stopped", {"url": url, "data": str(data)})
