"""How many of sixteen who promote at once believe that they won.

Ten rounds; in each, sixteen processes start at one moment and each tries to make its own version of
one model the champion, as `registry alias --expect` does: only if the champion is still that of the
round's beginning. `winners_per_round` is the largest number of processes in any round that were
told that they moved it, `least_winners_per_round` the smallest; both must be 1, and who was told so
must be who holds the alias then (`wrong_holders`). The stores are a real `mlflow server` on
127.0.0.1, over SQLite, and SQLite without a server.

The peer is MLflow's alias alone: each process looks whether the champion is still that of the
round's beginning, sets it to its own version, and looks again. FULL=1 does a hundred rounds.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Literal

from edgefactory.registry import show
from edgefactory.registry.aliases import NOBODY
from edgefactory.registry.store import ensure_model, opened
from edgefactory.registry.versions import DIGEST_TAG, SEQUENCE_TAG, VERDICT_TAG, VERSION_TAG
from measured import Bound, Measured
from mlflow_server import serve
from promotion_racer import LOST, held

SAYS = "of 16 processes that promote at once, how many believe that they won"

RACERS: Final = 16
ROUNDS: Final = 10
LEAD_S: Final = 0.2  # between telling the racers and the start
RACER: Final = Path(__file__).with_name("promotion_racer.py")

Way = Literal["ledger", "alias"]


@dataclass
class Found:
    """What the rounds in one store came to."""

    winners: list[int] = field(default_factory=list)
    wrong_holders: int = 0


def run(full: bool, /) -> Measured:
    """Ten rounds, or a hundred."""
    rounds = 10 * ROUNDS if full else ROUNDS
    with tempfile.TemporaryDirectory(prefix="promotion-race-") as scratch:
        folder = Path(scratch)
        found = {"sqlite": race(f"sqlite:///{folder / 'embedded.db'}", "race", "ledger", rounds)}
        with serve(folder / "server") as server:
            found["server"] = race(server, "race", "ledger", rounds)
            plain = race(server, "plain", "alias", ROUNDS)
    winners = [count for one in found.values() for count in one.winners]
    metrics: dict[str, float] = {
        "winners_per_round": max(winners),
        "least_winners_per_round": min(winners),
        "wrong_holders": sum(one.wrong_holders for one in found.values()),
        "rounds": len(winners),
        "racers": RACERS,
    }
    return Measured(
        metrics=metrics,
        bounds={
            "winners_per_round": Bound("at_most", 1),
            "least_winners_per_round": Bound("at_least", 1),
            "wrong_holders": Bound("at_most", 0),
        },
        peers={"winners by round: MLflow's alias alone": plain.winners},
    )


def race(store: str, model: str, way: Way, rounds: int) -> Found:
    """`rounds` of RACERS processes at `store`, each for its own version of `model`."""
    _enter(store, model)
    found, champion = Found(), NOBODY
    with _racers(store, model, way) as racers:
        for number in range(1, rounds + 1):
            start = time.monotonic() + LEAD_S
            for say, _ in racers:
                say.write(f"{champion} {start}\n")
                say.flush()
            won = [version for _, hear in racers if (version := _line(hear)) != LOST]
            found.winners.append(len(won))
            if way == "ledger":
                holder = show(store, model).aliases.get("champion")
                champion = holder.version if holder else NOBODY
                found.wrong_holders += won != [champion]
            else:
                champion = held(store, model)
            sys.stderr.write(f"{store.partition(':')[0]}, {way}, round {number}: {won} won\n")
    return found


@contextmanager
def _racers(store: str, model: str, way: Way) -> Iterator[list[tuple[IO[str], IO[str]]]]:
    """The ends of the racers' pipes: to tell them, and to hear them."""
    with ExitStack() as stack:
        racers = []
        for number in range(1, RACERS + 1):
            process = subprocess.Popen(
                [sys.executable, RACER, store, model, str(number), way],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)  # closes its pipes, which ends it, and waits for it
            assert process.stdin is not None
            assert process.stdout is not None
            racers.append((process.stdin, process.stdout))
        for _, hear in racers:
            if _line(hear) != "ready":
                raise RuntimeError("a racer did not start")
        yield racers


def _line(hear: IO[str]) -> str:
    line = hear.readline()
    if not line:
        raise RuntimeError("a racer ended without an answer")
    return line.strip()


def _enter(store: str, model: str) -> None:
    """Versions for the racers and one more, as a release that passed its gate is registered."""
    with opened(store) as client:
        ensure_model(client, model)
        run = client.create_run("0").info.run_id
        for number in range(1, RACERS + 2):
            tags = {
                DIGEST_TAG: f"{number:064x}",
                SEQUENCE_TAG: str(number),
                VERSION_TAG: f"0.{number}.0",
                VERDICT_TAG: "passed",
            }
            source = f"runs:/{run}/release"
            client.create_model_version(model, source, run, tags=tags, await_creation_for=0)
