"""Say which version holds an alias, as `champion`: the one that new releases are compared with.

An alias is a name in the registry, for people and CI. No site runs anything else because of it:
what sites run is said by the roll-out that is published. Of several who move an alias at once
exactly one does; the others get exit code 4. `champion` goes only to versions that passed their
gate. Moving it to where it is changes nothing.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.commands.registry_add import add_store
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "move an alias, as champion, to a version"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Which version gets which alias, from whom, and why."""
    parser.add_argument(
        "release", metavar="RELEASE", help="MODEL@VERSION, or the folder of a registered release"
    )
    parser.add_argument("alias", metavar="ALIAS", help="as champion or candidate")
    parser.add_argument(
        "--expect", metavar="VERSION", help="only if this version holds it now; none: nobody"
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="for the ledger")
    parser.add_argument("--by", metavar="WHO", help="for the ledger (the user)")
    add_store(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """An entry in the ledger, and the alias where it says."""
    import getpass

    import msgspec

    from edgefactory.pipelines.tracking import named_version, registry_uri
    from edgefactory.registry import AliasNotice, Move, move_alias, notify

    model, version = named_version(args.release)
    store, by = registry_uri(args.store), args.by or getpass.getuser()
    screen.progress(0, 0, "opening the registry")
    move = Move(model, version, args.alias, by, args.reason, args.expect)
    moved = move_alias(store, move)
    now, before = moved.after, moved.before.version if moved.before else None
    if moved.changed:
        notice = AliasNotice(
            schema="notice/1",
            model=model,
            alias=args.alias,
            version=now.version,
            sequence=now.sequence,
            release=now.sha256,
            before=before,
            by=by,
            reason=args.reason,
        )
        notify(notice, screen.note)
    screen.clear()
    was = f" (was {before or 'nobody'})" if moved.changed else " already"
    line = f"{args.alias} of {model} is {now.version}{was}"
    return Outcome(line, msgspec.to_builtins(moved))
