"""Read what a signing request asks for, and sign it with your key.

What it asks for is said line by line, compared with the published tree: which keys come and go,
what is blocked, until when. Without --key that is all. With it, every part that your key may sign
is signed, into the same file; on a terminal you are asked first. A request for a release is signed
by `release approve`, which looks at the release as well.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import (
    KEY_HELP,
    add_published,
    key_of,
    read_requests,
    tree_if_any,
    what_is_missing,
)

HELP = "read a signing request, and sign it"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The request and the key."""
    parser.add_argument("request", metavar="REQUEST", help="the request; the signature goes in")
    add_published(parser)
    parser.add_argument("--key", metavar="KEY", help=KEY_HELP)


def run(args: Namespace, screen: Screen) -> Outcome:
    """A request -> the same with one more signature."""
    from edgefactory.datasets.errors import InputError, TrustError
    from edgefactory.registry import (
        new_releases,
        read_request,
        review,
        sign_request,
        write_request,
    )
    from edgefactory.registry.files import write_atomic
    from edgefactory.registry.tree import utc_now

    path = Path(args.request)
    request, tree = read_request(read_requests([args.request])), tree_if_any(Path(args.published))
    asked = review(request, tree, utc_now())
    for line in asked:
        screen.note(line)
    signed: tuple[str, ...] = ()
    if args.key is not None:
        if new_releases(request, tree):
            raise TrustError(f"{path} releases something; `edgefactory release approve` signs it")
        if sys.stdin.isatty():
            screen.note("sign this? [y/N]")
            if sys.stdin.readline().strip().lower() != "y":
                raise InputError("nothing was signed")
        signed = sign_request(request, tree, key_of(args))
        write_atomic(path, write_request(request))
    left = what_is_missing(request, tree)
    said = f"signed {', '.join(signed)}; " if signed else ""
    return Outcome(
        f"{path}: {said}{left}",
        {"asks": list(asked), "signed": list(signed), "lacks": left},
    )
