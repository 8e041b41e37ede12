"""Make the request to publish a release: a file that the line and the approver sign.

Each signs a copy with `release approve` on a machine of their own, in any order;
`release publish --request` takes it, or both copies. Asked for twice, the file is left as it is,
with its signatures; for a release that is published on this very verdict nobody is asked.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import add_out, add_published, write_request_file

HELP = "ask for signatures on a release"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The release, and what the gate said of it."""
    add_release(parser)
    add_published(parser)
    add_out(parser, "release.request.json")


def add_release(parser: ArgumentParser) -> None:
    """The folders that `release build` and `gate` have written."""
    parser.add_argument(
        "--release", metavar="DIR", default="release", help="the release (default: ./release)"
    )
    parser.add_argument(
        "--verdict",
        metavar="FILE",
        default="gate/verdict.json",
        help="the gate's verdict (default: ./gate/verdict.json)",
    )


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A release that passed -> a request."""
    from edgefactory.registry import propose

    known = published_already(args)
    if known is not None:
        return known
    out = Path(args.out)
    request = propose(Path(args.release), Path(args.verdict), Path(args.published))
    changed = write_request_file(out, request)
    return Outcome(
        f"{out}: to be signed by two, `release approve`", {"changed": changed, "request": str(out)}
    )


def published_already(args: Namespace) -> Outcome | None:
    """The outcome of whoever asks or signs for what is published already; None while it is not."""
    from edgefactory.registry import is_published

    if not is_published(Path(args.release), Path(args.verdict), Path(args.published)):
        return None
    return Outcome(
        f"{args.release} is published on this verdict already; nothing to sign",
        {"changed": False},
    )
