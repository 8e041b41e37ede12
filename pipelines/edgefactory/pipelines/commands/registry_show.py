"""What the registry knows of a model: versions, verdicts, aliases, and who moved them when.

An alias in MLflow that does not say what the ledger says is put right.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.commands.registry_add import add_store
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.registry import Shelf

HELP = "versions, verdicts, aliases and their history"
STAGE: str | None = None

MOVES = 10  # that are shown; --json has all
SHOWN = 20  # versions


def options(parser: ArgumentParser) -> None:
    """The model and the store."""
    parser.add_argument("model", metavar="MODEL", help="as cctv-person")
    add_store(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """A table of versions, and the latest moves."""
    import msgspec

    from edgefactory.pipelines.tracking import registry_uri
    from edgefactory.registry import show

    screen.progress(0, 0, "opening the registry")
    shelf = show(registry_uri(args.store), args.model)
    screen.clear()
    if not args.json:
        _print(shelf)
    return Outcome(
        f"{shelf.model}: {len(shelf.versions)} versions, {len(shelf.moves)} moves",
        msgspec.to_builtins(shelf),
    )


def _print(shelf: "Shelf") -> None:
    from datetime import UTC, datetime

    from rich.table import Table

    from edgefactory.pipelines.consoles import tables_console

    held: dict[int, list[str]] = {}
    for alias, one in shelf.aliases.items():
        held.setdefault(one.number, []).append(alias)
    table = Table("version", "sequence", "sha256", "verdict", "aliases", box=None, pad_edge=False)
    for known in shelf.versions[-SHOWN:]:
        aliases = ", ".join(held.get(known.number, ()))
        cells = (known.version, str(known.sequence), known.sha256[:12], known.verdict)
        table.add_row(*cells, aliases, style="bold" if aliases else None)
    names = {known.number: known.version for known in shelf.versions}
    moves = Table("when", "alias", "from", "to", "by", "reason", box=None, pad_edge=False)
    for move in shelf.moves[-MOVES:]:
        when = datetime.fromtimestamp(move.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        before = "nobody" if move.before is None else names.get(move.before, "?")
        moves.add_row(when, move.alias, before, names.get(move.after, "?"), move.by, move.reason)
    console = tables_console()
    console.print(table)
    if shelf.moves:
        console.print()
        console.print(moves)
