"""Bring back what people said in Label Studio: a new snapshot folder with reviewed labels.

The snapshot of the line is left as it is; the new one lies in --out and has a digest of its own.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "bring reviewed labels back as a new snapshot"
STAGE: str | None = None

MAX_BYTES = 512 * 1024 * 1024


def options(parser: ArgumentParser) -> None:
    """The export of the labelling tool, and where the new snapshot goes."""
    parser.add_argument("file", metavar="FILE", help="Label Studio's JSON export")
    parser.add_argument("--workspace", metavar="DIR", default=".", help="the folder of the line")
    parser.add_argument("--out", metavar="DIR", required=True, help="the new snapshot's folder")


def run(args: Namespace, _screen: Screen) -> Outcome:
    """snapshot/ and an export -> another snapshot."""
    import shutil
    from pathlib import Path

    from edge_runtime.contract import encode
    from edgefactory.datasets import import_annotations, read_snapshot, snapshot_digest
    from edgefactory.datasets.files import fresh_folder, read_bytes, write_file
    from edgefactory.pipelines.workspace import open_workspace

    workspace = open_workspace(Path(args.workspace))
    folder = workspace.require("snapshot", "edgefactory data snapshot")
    before = read_snapshot(folder)
    content = read_bytes(Path(args.file), MAX_BYTES, "export")
    after = import_annotations(content, before, args.file)
    changed = sum(a != b for a, b in zip(after.items, before.items, strict=True))
    with fresh_folder(Path(args.out), "manifest.json") as work:
        for item in after.items:
            (work / item.file).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / item.file, work / item.file)
        write_file(work / "manifest.json", encode(after))
    digest = snapshot_digest(after)
    return Outcome(
        f"{changed} pictures reviewed; the new snapshot is {digest[:12]} in {args.out}",
        {"reviewed": changed, "sha256": digest, "out": args.out},
    )
