"""Bring pictures that wait for a person into Label Studio, with the labels so far to correct.

Pushing again adds only what is not there; tasks that somebody answered are never touched. The
local server of `label serve` is shown the pictures; another server (--url) is sent them, unless
--pictures says where they are served.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgefactory.pipelines.labelling import add_server_options, connected
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from edgefactory.datasets.studio import Account, Project, Studio, Urls

HELP = "bring pictures to people"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The server, and which pictures."""
    add_server_options(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--items", metavar="FILE", help="the pictures that `label next` chose, in its order"
    )
    which.add_argument(
        "--all",
        action="store_true",
        help="every picture that no person has reviewed (default: those with a queued label)",
    )
    parser.add_argument(
        "--reviewers",
        type=int,
        default=1,
        metavar="N",
        help="how many people answer each picture, if the project is new (default: 1)",
    )
    parser.add_argument(
        "--pictures",
        metavar="URL",
        help="where the snapshot's folder is served to the people, with --url",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """SNAP -> tasks."""
    from dataclasses import asdict
    from pathlib import Path

    from edgefactory.datasets.asking import read_questions
    from edgefactory.datasets.errors import InputError
    from edgefactory.datasets.manifest import read_manifest
    from edgefactory.datasets.studio import PushSettings, project_title, push, waiting

    if args.reviewers < 1 or (args.pictures and not args.url):
        raise InputError("--reviewers wants 1 or more, and --pictures belongs to --url")
    folder = Path(args.snapshot)
    snapshot = read_manifest(folder)
    chosen = waiting(snapshot)
    if args.all:
        chosen = [item.id for item in snapshot.items if not item.reviewed]
    elif args.items:
        chosen = [question.id for question in read_questions(Path(args.items)).asked]
    settings = PushSettings(project_title(snapshot, args.project), chosen, args.reviewers)
    with connected(args) as (studio, account):
        shown = _shown(args.pictures, folder, studio, account)
        pushed = push(studio, snapshot, settings, shown, screen.progress)
    return Outcome(
        f"{pushed.added} tasks added to {settings.title!r} at {studio.url}, {pushed.refreshed} "
        f"with newer labels, {pushed.left} left as they are",
        asdict(pushed) | {"project": settings.title, "url": studio.url},
    )


def _shown(
    served: str | None, folder: "Path", studio: "Studio", account: "Account | None"
) -> "Callable[[Project], Urls]":
    """How the people of a project see the snapshot's pictures."""
    from functools import partial
    from pathlib import Path

    from edgefactory.datasets.studio import local_urls, served_urls, uploaded_urls

    if account is not None:
        return partial(local_urls, studio, folder=folder, pictures=Path(account.pictures))
    if served:
        return lambda _project: served_urls(served)
    return partial(uploaded_urls, studio, folder=folder)
