"""Make a request that gives roles new keys, takes old ones away, or renews what expires.

    edgefactory repo rotate --add root=root-4.pub --remove root=root-1
    edgefactory repo rotate --add timestamp=timestamp-2.pub --remove timestamp=timestamp
    edgefactory repo rotate --renew releases

Roles: root, targets, releases, emergency, rollout, snapshot, timestamp. The request goes to the
holders (`repo sign`), then `repo apply` puts it into force. A new root is signed by two of the old
root keys and two of the new. Keep an old online key in --keys until it is in force: then no reader
notices. Sites follow by themselves, however many rotations they slept through.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import add_out, add_published, write_request_file

if TYPE_CHECKING:
    from edgefactory.registry import KeyChange

HELP = "make a request for new keys, or a renewal"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """What changes."""
    for name, what, says in (
        ("--add", "ROLE=FILE", "a public key that the role gets"),
        ("--remove", "ROLE=NAME", "the name of a key that it loses"),
        ("--renew", "ROLE", "sign it anew, with the keys that it has"),
    ):
        parser.add_argument(name, metavar=what, action="append", default=[], help=says)
    add_published(parser)
    add_out(parser, "rotate.request.json")


def run(args: Namespace, screen: Screen) -> Outcome:
    """Changes of keys -> a request for them."""
    from edgefactory.registry import KeyChange, propose_rotation, read_public, read_request, review
    from edgefactory.registry.tree import load_tree, utc_now

    changes = [KeyChange(role, add=(read_public(Path(at)),)) for role, at in _pairs(args.add)]
    changes += [KeyChange(role, remove=(name,)) for role, name in _pairs(args.remove)]
    published, out = Path(args.published), Path(args.out)
    data = propose_rotation(published, _together(changes), args.renew)
    for line in review(read_request(data), load_tree(published), utc_now()):
        screen.note(line)
    changed = write_request_file(out, data)
    roles = list(read_request(data).roles())
    return Outcome(
        f"{out}: to be signed for {', '.join(roles)}",
        {"changed": changed, "request": str(out), "roles": roles},
    )


def _pairs(items: list[str]) -> list[tuple[str, str]]:
    from edgefactory.datasets.errors import InputError

    pairs = []
    for item in items:
        role, found, value = item.partition("=")
        if not found or not value:
            raise InputError(f"{item!r} is not of the form ROLE=…, as root=root-4.pub")
        pairs.append((role, value))
    return pairs


def _together(changes: "list[KeyChange]") -> "list[KeyChange]":
    """One change a role, so that a key may go in the same step as its successor comes."""
    from edgefactory.registry import KeyChange

    return [
        KeyChange(
            role,
            tuple(key for change in changes if change.role == role for key in change.add),
            tuple(name for change in changes if change.role == role for name in change.remove),
        )
        for role in dict.fromkeys(change.role for change in changes)
    ]
