"""One process of the race: `promotion_racer.py STORE MODEL NUMBER ledger|alias`.

It reads a line each round, the champion to expect and when to start (on the monotonic clock, which
all processes of a machine share), and answers with the version that it believes to have made
champion, or with a dash. It imports what a racer needs, and no more: sixteen of them run at once.
"""

import sys
import time

from edgefactory.datasets.errors import GateError
from edgefactory.registry.aliases import NOBODY, Move, move_alias
from edgefactory.registry.store import opened

LOST = "-"


def by_ledger(store: str, model: str, champion: str, number: int) -> str:
    """As `registry alias --expect` does it."""
    # Who holds it already would change nothing, so a second one runs for the next version.
    mine = f"0.{number}.0" if champion != f"0.{number}.0" else f"0.{number + 1}.0"
    try:
        moved = move_alias(store, Move(model, mine, "champion", "racer", "a race", champion))
    except GateError:
        return LOST
    return mine if moved.changed else LOST


def by_alias(store: str, model: str, champion: str, number: int) -> str:
    """By MLflow's alias alone: look, set, look again."""
    mine = str(number)
    with opened(store) as client:
        if held(store, model) != champion:
            return LOST
        client.set_registered_model_alias(model, "champion", mine)
    return mine if held(store, model) == mine else LOST


def held(store: str, model: str) -> str:
    """The version that MLflow's alias names."""
    with opened(store) as client:
        return str(client.get_registered_model(model).aliases.get("champion", NOBODY))


def main(store: str, model: str, number: str, how: str) -> None:
    """Race until there are no more lines."""
    way = by_ledger if how == "ledger" else by_alias
    with opened(store):  # imports MLflow, which is not part of the race
        sys.stdout.write("ready\n")
        sys.stdout.flush()
    for line in sys.stdin:
        champion, start = line.split()
        time.sleep(max(0.0, float(start) - time.monotonic()))
        sys.stdout.write(way(store, model, champion, int(number)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
