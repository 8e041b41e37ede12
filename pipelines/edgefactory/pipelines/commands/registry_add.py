"""Register a release folder in MLflow: its files, its digest, and its gate's verdict.

The same bytes are registered once; doing it again renews the verdict. The stage `release publish`
does this for the workspace's release.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "register a release"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The release, its verdict, its run and the store."""
    parser.add_argument("release", metavar="RELEASE", help="the folder of the release")
    parser.add_argument("--verdict", metavar="FILE", help="verdict.json of its gate")
    parser.add_argument("--run", metavar="ID", help="the MLflow run that trained it")
    add_store(parser)


def add_store(parser: ArgumentParser) -> None:
    """The option of every command of this group."""
    parser.add_argument(
        "--store",
        metavar="URI",
        help="sqlite:///FILE, or a server as http://… (MLFLOW_TRACKING_URI, or the workspace here)",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A release folder -> a model version."""
    from edge_runtime.contract import Release, read
    from edgefactory.pipelines.tracking import registry_uri
    from edgefactory.registry import register

    store, folder = registry_uri(args.store, begins=True), Path(args.release)
    release = read(folder / "release.json", Release)
    screen.progress(0, 0, "registering")
    verdict = Path(args.verdict) if args.verdict else None
    number = register(folder, store, args.run, verdict)
    return Outcome(
        f"{release.name}@{release.version} is registered, number {number}",
        {"model": release.name, "version": release.version, "number": number},
    )
