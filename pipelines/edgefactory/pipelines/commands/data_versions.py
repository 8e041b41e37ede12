"""List the versions of snapshots that a store holds, the newest first.

--store as in `edgefactory data push`.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

if TYPE_CHECKING:
    from edgefactory.datasets.versions import Record

HELP = "list the versions in a store"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The store."""
    parser.add_argument("--store", metavar="WHERE", help="a folder or s3://bucket/prefix")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A store -> its versions."""
    import msgspec

    from edgefactory.datasets.versions import default_store, open_store

    screen.progress(0, 0, "looking")
    store = open_store(args.store or default_store())
    records = store.records()
    figures = {
        "store": store.where,
        "versions": [
            {**msgspec.to_builtins(record.version), "bytes": record.out.size, "dvc": record.out.md5}
            for record in records
        ],
    }
    lines = [_line(record) for record in records] or [f"{store.where} holds no version"]
    return Outcome("\n".join(lines), figures)


def _line(record: "Record") -> str:
    version = record.version
    return (
        f"{version.sha256[:12]}  {version.pushed_at[:16].replace('T', ' ')}  {version.name}  "
        f"{version.pictures} pictures, {size(record.out.size)}  {version.note}"
    ).rstrip()
