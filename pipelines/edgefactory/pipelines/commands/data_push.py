"""Put a snapshot into a store as a version, in DVC's own layout.

The store is a folder or s3://bucket/prefix: --store, else $EDGEFACTORY_STORE, else a folder of the
user. S3 is reached as AWS's tools reach it (AWS_PROFILE, AWS_ENDPOINT_URL, ...). A broken push,
started again, goes on where it stopped.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

HELP = "put a snapshot into a store as a version"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The snapshot and the store."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument("--store", metavar="WHERE", help="a folder or s3://bucket/prefix")
    parser.add_argument("--note", default="", help="what is worth knowing of this version")
    parser.add_argument(
        "--dvc", metavar="FILE.dvc", help="also write the file by which `dvc pull` fetches it"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> a version in the store."""
    from pathlib import Path

    from edgefactory.datasets.versions import default_store, open_store, push, write_dvc_file

    store = open_store(args.store or default_store())
    pushed = push(Path(args.snapshot), store, args.note, screen.progress)
    if args.dvc:
        write_dvc_file(pushed.record, Path(args.dvc))
    version, out = pushed.record.version, pushed.record.out
    return Outcome(
        f"{version.sha256[:12]} {version.name} is in {store.where}: {pushed.sent} of "
        f"{pushed.files} files sent, {size(out.size)} in all",
        {
            "sha256": version.sha256,
            "name": version.name,
            "store": store.where,
            "files": pushed.files,
            "sent": pushed.sent,
            "bytes": out.size,
            "dvc": out.md5,
        },
    )
