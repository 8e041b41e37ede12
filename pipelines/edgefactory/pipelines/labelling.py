"""What `label push`, `label pull` and `label status` share: which server, which project."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.datasets.studio import Account, Agreement, Project, Studio


def add_server_options(parser: ArgumentParser) -> None:
    """The snapshot, the server, and the project."""
    parser.add_argument("snapshot", metavar="SNAP", help="the snapshot's folder")
    parser.add_argument(
        "--url",
        metavar="URL",
        help="a Label Studio server; its token comes from EDGEFACTORY_LABEL_STUDIO_TOKEN or the "
        "keyring (default: the server of `label serve`)",
    )
    add_data_option(parser)
    parser.add_argument(
        "--project", metavar="TITLE", help="the project's title (default: the snapshot's name)"
    )


def add_data_option(parser: ArgumentParser) -> None:
    """Where the local server keeps its data."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the data folder of `label serve` (default: ~/.local/share/edgefactory/label-studio)",
    )


@contextmanager
def connected(args: Namespace) -> Iterator[tuple["Studio", "Account | None"]]:
    """The server that `args` name, and its account where it is the local one.

    Raises MissingError where there is no server or no token, InputError for a wrong one.
    """
    from pathlib import Path

    from edgefactory.datasets.studio import Studio, default_data, find_token, read_account

    account = None if args.url else read_account(Path(args.data) if args.data else default_data())
    url = args.url if account is None else account.url
    token = find_token(url) if account is None else account.token
    with Studio(url, token) as studio:
        yield studio, account


def require_project(studio: "Studio", title: str) -> "Project":
    """The project `title`; raises MissingError when the server has none."""
    from edgefactory.datasets.errors import MissingError

    project = studio.project(title)
    if project is None:
        raise MissingError(
            f"{studio.url} has no project {title!r}; run `edgefactory label push` first"
        )
    return project


def agreement_lines(agreement: "Agreement") -> Sequence[str]:
    """How far people agree, one line a pair, then all of them."""
    if not agreement.pictures:
        return ()
    lines = [
        f"{pair.first} and {pair.second}: {_count(pair.pictures, 'picture')}, "
        f"F {pair.f:.2f}, kappa {_number(pair.kappa)}"
        for pair in agreement.pairs
    ]
    seen = _count(agreement.pictures, "picture")
    return (*lines, f"agreement on {seen} seen by several: alpha {_number(agreement.alpha)}")


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
