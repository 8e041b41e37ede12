"""Fetch a registered release by alias, version or digest, and check every byte of it.

`registry get cctv-person@champion --out champion` gives CI the release that the next one must not
be worse than.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.commands.registry_add import add_store
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "fetch a registered release, as MODEL@champion"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Which one, and where to."""
    parser.add_argument("release", metavar="MODEL@NAME", help="an alias, a version, or a digest")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder of the release")
    add_store(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """A model version -> a release folder."""
    import msgspec

    from edgefactory.pipelines.tracking import named_version, registry_uri
    from edgefactory.registry import fetch_release

    model, name = named_version(args.release)
    screen.progress(0, 0, "fetching")
    known = fetch_release(registry_uri(args.store), model, name, Path(args.out))
    return Outcome(
        f"{model} {known.version}, {known.sha256[:12]}, in {args.out}", msgspec.to_builtins(known)
    )
