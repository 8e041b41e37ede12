"""Put a signed request into force: a new repository, changed keys, a block list.

Needs the online keys only (rollout, snapshot, timestamp). Copies of the request that were signed
on different machines may all be given; their signatures are put together. Running it again
changes nothing, and finishes what a kill cut off. Exit code 5 when signatures are missing or the
request was made for another state of the tree.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import (
    add_online_keys,
    add_published,
    add_requests,
    read_requests,
)

HELP = "put a signed request into force"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Requests, tree and keys."""
    add_requests(parser)
    add_published(parser)
    add_online_keys(parser)


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A request that enough have signed -> the changed tree."""
    from edgefactory.registry import apply_request, read_request

    request = read_request(read_requests(args.requests))
    changed = apply_request(Path(args.published), request, Path(args.keys))
    said = "is in force now" if changed else "was in force already"
    roles = list(request.roles())
    return Outcome(f"{', '.join(roles)}: {said}", {"changed": changed, "roles": roles})
