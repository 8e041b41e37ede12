"""Get a version out of a store as a snapshot folder; every byte is held against its digest.

A broken pull, started again, goes on where it stopped. `edgefactory data versions` lists what a
store holds; --store as in `edgefactory data push`.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

HELP = "get a version out of a store"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Which version, from where, to where."""
    parser.add_argument(
        "version", metavar="VERSION", help="the beginning of its digest, or a name (its newest)"
    )
    parser.add_argument("--store", metavar="WHERE", help="a folder or s3://bucket/prefix")
    parser.add_argument("--out", metavar="SNAP", required=True, help="the snapshot's folder")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A version in the store -> a snapshot."""
    from pathlib import Path

    from edgefactory.datasets.versions import default_store, find_version, open_store, pull

    store = open_store(args.store or default_store())
    record = find_version(store, args.version)
    fetched = pull(record, store, Path(args.out), screen.progress)
    version, out = record.version, record.out
    return Outcome(
        f"{version.sha256[:12]} {version.name}: {version.pictures} pictures, {size(out.size)}, "
        f"{fetched} files fetched",
        {
            "sha256": version.sha256,
            "name": version.name,
            "pictures": version.pictures,
            "bytes": out.size,
            "fetched": fetched,
        },
    )
