"""Make a request that no site runs MODEL@VERSION any more; other versions are not touched.

Two holders of emergency keys sign it (`repo sign`), `repo apply` puts it into force. A site that
runs the release leaves it at its next update: for the release that the rollout names, or for the
last good one, and its journal says the reason. `release revoke` takes out all older ones as well.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Literal

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import add_out, add_published, write_request_file

HELP = "ask that no site runs a release any more"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """What, and why."""
    parser.add_argument("what", metavar="MODEL@VERSION", help="the release, as cctv-person@0.2.0")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; every site keeps it")
    add_published(parser)
    add_out(parser, "block.request.json")


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A version and a reason -> a request."""
    return ban(args, "block")


def ban(args: Namespace, how: Literal["block", "revoke"]) -> Outcome:
    """Write the request to block or revoke what `args` name."""
    from edgefactory.datasets.errors import InputError
    from edgefactory.registry import Ban, propose_ban

    model, found, version = args.what.partition("@")
    if not (found and model and version):
        raise InputError(f"{args.what!r} is not MODEL@VERSION, as cctv-person@0.2.0")
    out = Path(args.out)
    request = propose_ban(Path(args.published), Ban(model, version, args.reason, how))
    changed = write_request_file(out, request)
    return Outcome(
        f"{out} asks to {how} {args.what}; two emergency keys sign it: edgefactory repo sign",
        {"changed": changed, "request": str(out)},
    )
