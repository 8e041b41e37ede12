"""Write a stick for the sites of a region that have no network.

    edgefactory repo export --to /media/stick --for north

It holds the releases whose rollouts are for that region, all block lists, and the tree's metadata
with a timestamp of its own (the timestamp key is needed) that names the region and lives as long
as the rest, about seven days after a refresh. At a site: edge-runtime import DIR --model NAME.
Sites of other regions refuse it, and so does every site that has seen something newer.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size
from edgefactory.pipelines.signing import add_online_keys, add_published

HELP = "write a stick for sites without network"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Tree, keys, stick and region."""
    add_published(parser)
    add_online_keys(parser)
    parser.add_argument("--to", metavar="DIR", required=True, help="the stick's folder")
    parser.add_argument(
        "--for", metavar="GROUP", dest="group", required=True, help="the region of the sites"
    )


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A tree -> the part of it that a region needs."""
    from edgefactory.registry import export_stick

    found = export_stick(Path(args.published), Path(args.keys), args.group, Path(args.to))
    return Outcome(
        f"{args.to}: {', '.join(found.models)} for {args.group}, {size(found.bytes)}; "
        f"sites take it until {found.expires:%Y-%m-%d %H:%MZ}",
        {
            "models": list(found.models),
            "group": args.group,
            "expires": found.expires.isoformat(),
            "bytes": found.bytes,
        },
    )
