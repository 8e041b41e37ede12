"""Stand for a release with the line's key: sign for its training, its evaluation and its gate.

For a line whose key is held on another machine than the one that builds and judges: there
`release build --key` and `gate --key` do the same. Nothing is published without. Look at the
release and the verdict first: a signature says that they are true.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.commands.release_propose import add_release
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import KEY_HELP, key_of

HELP = "sign for training, evaluation and gate of a release"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The release, its verdict, and the key."""
    add_release(parser)
    parser.add_argument("--key", metavar="KEY", required=True, help=KEY_HELP)


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A release and a verdict -> attestations beside them."""
    from edgefactory.registry import attest_release, attest_verdict

    release, signer = Path(args.release), key_of(args)
    written = [
        attest_release(release, signer),
        attest_verdict(release, Path(args.verdict), signer),
    ]
    return Outcome(
        f"signed by {signer.public_key.keyid[:12]}…: {written[0]}, {written[1]}",
        {"keyid": signer.public_key.keyid, "files": [str(path) for path in written]},
    )
