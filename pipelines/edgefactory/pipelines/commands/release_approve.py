"""Sign a release as the line or as the approver, after checking what you sign.

Checked first: every byte of the release, that the gate's verdict is about these bytes and says
yes, that the request asks for this release in the published state and for nothing else, and that
nothing blocks it. Needs your key only. The signature goes into the request's file. A release that
is published on this very verdict needs no signature any more, and no request.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.commands.release_propose import add_release, published_already
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import (
    KEY_HELP,
    add_published,
    key_of,
    read_requests,
    what_is_missing,
)

HELP = "sign a release with your key"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The request, what to check it against, and the key."""
    parser.add_argument("request", metavar="REQUEST", help="the file of `release propose`")
    add_release(parser)
    add_published(parser)
    parser.add_argument("--key", metavar="KEY", required=True, help=KEY_HELP)


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A request -> the same with one more signature."""
    from edgefactory.registry import approve, read_request
    from edgefactory.registry.files import write_atomic
    from edgefactory.registry.tree import load_tree

    known = published_already(args)
    if known is not None:
        return known
    request, published = read_requests([args.request]), Path(args.published)
    signer = key_of(args)
    signed = approve(request, Path(args.release), Path(args.verdict), published, signer)
    write_atomic(Path(args.request), signed)
    left = what_is_missing(read_request(signed), load_tree(published))
    return Outcome(
        f"{args.request}: signed by {signer.public_key.keyid[:12]}…; {left}",
        {"changed": True, "keyid": signer.public_key.keyid, "lacks": left},
    )
