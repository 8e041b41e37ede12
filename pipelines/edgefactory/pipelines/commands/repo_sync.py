"""Bring a bucket to the state of the published tree, so that sites can read it there.

    edgefactory repo sync s3://bucket/prefix

S3 is reached as AWS's tools reach it (AWS_PROFILE, AWS_ENDPOINT_URL, ...). The timestamp goes last:
readers find the old state or the new one, also when it is cut off; run it again to go on. Nothing
is overwritten but the timestamp. Exit code 5: the bucket holds a later state, or another tree; 6:
another publisher came between, or S3 says no.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import add_published

HELP = "copy a repository to S3, in a safe order"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The bucket and the tree."""
    parser.add_argument("where", metavar="s3://BUCKET/PREFIX", help="where sites read it")
    add_published(parser)


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A tree -> the same in a bucket."""
    from edgefactory.registry import sync

    found = sync(Path(args.published), args.where)
    return Outcome(
        f"{args.where}: {found.sent} of {found.files} files sent",
        {"sent": found.sent, "files": found.files},
    )
