"""Moving an alias of a model in MLflow, so that of several who move it at once exactly one does.

The ledger (`ledger.py`) is the registered model `<model>.promotions`: it decides, MLflow's own
alias only shows it. Whoever reads the ledger puts an alias right that does not say what the ledger
says: a kill between the two, or a hand in MLflow's pages, lasts until then.
"""

import random
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from edgefactory.datasets.errors import GateError, InputError, MissingError, TrustError
from edgefactory.registry.ledger import Entry, Ledger, replay
from edgefactory.registry.store import all_versions, ensure_model, opened
from edgefactory.registry.versions import (
    DIGEST_TAG,
    LEDGER_SUFFIX,
    SEQUENCE_TAG,
    VERDICT_TAG,
    VERSION_TAG,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
NOBODY = "none"
TRIES = 12  # to write an entry, where the store is busy
LONGEST_S = 2.0  # between two of them
_BUSY = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
_MEANWHILE = (*_BUSY, "BAD_REQUEST")  # the last where two make the same new alias
SHORTEST_DIGEST = 8  # characters by which a version may be named

# MLflow keeps `latest`, and v1, v2, … for itself.
Alias = Annotated[str, Meta(pattern=r"^(?!latest$|v[0-9]+$)[a-z][a-z0-9_-]{0,63}$")]


class Known(Struct, frozen=True):
    """A registered version: MLflow's number of it, and what the release calls itself."""

    number: int
    version: str
    sequence: int
    sha256: str
    verdict: str


class Moved(Struct, frozen=True):
    """What a move came to; `changed` is False when the alias was there already."""

    changed: bool
    model: str
    alias: str
    before: Known | None
    after: Known


class Shelf(Struct, frozen=True):
    """A model in the registry: its versions, who holds which alias, and the moves that count."""

    model: str
    versions: tuple[Known, ...]
    aliases: dict[str, Known]
    moves: tuple[Entry, ...]


@dataclass(frozen=True)
class Move:
    """`alias` of `model` to `version`: as "0.1.0", or the first characters of a digest.

    With `expected` (such a version, or NOBODY) only if that is who holds it. `by` and `reason` are
    for those who read the ledger.
    """

    model: str
    version: str
    alias: str
    by: str
    reason: str = ""
    expected: str | None = None


def move_alias(store: str, move: Move) -> Moved:
    """Move the alias, or raise GateError when somebody else was first.

    The alias `champion` goes only to versions whose gate's verdict is "passed" (GateError). Raises
    MissingError when model or version is not registered, InputError.
    """
    try:
        msgspec.convert(move.alias, Alias)
    except msgspec.ValidationError:
        raise InputError(
            f"{move.alias!r} cannot be an alias; expected small letters, digits, - and _, and not "
            "latest or v1"
        ) from None
    with opened(store) as client:
        known = _known(client, move.model)
        wanted = _one(known, move.model, move.version)
        if move.alias == CHAMPION and wanted.verdict != "passed":
            raise GateError(
                f"{move.model} {wanted.version} has the verdict {wanted.verdict!r}; run the gate, "
                "register it with its verdict, and only then make it champion"
            )
        ledger = _project(client, move.model)
        before = ledger.holder(move.alias)
        _require_expected(move, known, before)
        if before == wanted.number:
            return Moved(False, move.model, move.alias, wanted, wanted)
        entry = _append(client, move, before, wanted)
        after = _project(client, move.model)
        if entry not in after.counted:
            raise GateError(
                f"{move.alias} of {move.model} was moved by somebody else meanwhile, to "
                f"{_named(known, after.holder(move.alias))}; look at that, then run again"
            )
    return Moved(True, move.model, move.alias, _by_number(known, before), wanted)


def show(store: str, model: str) -> Shelf:
    """What the registry at `store` knows of `model`. Raises MissingError when that is nothing."""
    with opened(store) as client:
        known = _known(client, model)
        ledger = _project(client, model)
    return Shelf(
        model,
        tuple(known),
        {
            alias: one
            for alias, entry in sorted(ledger.holders.items())
            if (one := _by_number(known, entry.after)) is not None
        },
        tuple(entry for entry in ledger.entries if entry.number in ledger.counted),
    )


def find(shelf: Shelf, name: str) -> Known:
    """The version that `name` names: an alias, a version, or the first characters of a digest."""
    return shelf.aliases.get(name) or _one(list(shelf.versions), shelf.model, name)


def _known(client: "MlflowClient", model: str) -> list[Known]:
    found = [_read(one) for one in all_versions(client, model) if DIGEST_TAG in one.tags]
    if not found:
        raise MissingError(f"no release of {model!r} is registered; `edgefactory registry add` one")
    return found


def _read(one: "ModelVersion") -> Known:
    tags = one.tags
    return Known(
        int(one.version),
        tags.get(VERSION_TAG, ""),
        int(tags.get(SEQUENCE_TAG, 0)),
        tags[DIGEST_TAG],
        tags.get(VERDICT_TAG, "none"),
    )


def _one(known: list[Known], model: str, name: str) -> Known:
    found = [one for one in known if one.version == name]
    if not found and len(name) >= SHORTEST_DIGEST:
        found = [one for one in known if one.sha256.startswith(name)]
    if not found:
        newest = ", ".join(one.version for one in known[-3:])
        raise MissingError(f"{model}@{name} is not registered; the newest are {newest}")
    if len(found) > 1:
        digests = ", ".join(one.sha256[:12] for one in found)
        raise InputError(f"{len(found)} releases call themselves {model} {name}; say {digests}")
    return found[0]


def _by_number(known: list[Known], number: int | None) -> Known | None:
    return next((one for one in known if one.number == number), None)


def _named(known: list[Known], number: int | None) -> str:
    one = _by_number(known, number)
    return one.version if one else "nobody"


def _require_expected(move: Move, known: list[Known], before: int | None) -> None:
    if move.expected is None:
        return
    expected = None
    if move.expected != NOBODY:
        expected = _one(known, move.model, move.expected).number
    if before != expected:
        raise GateError(
            f"{move.alias} of {move.model} is held by {_named(known, before)}, not by "
            f"{move.expected} as expected; look at that, then run again"
        )


def _append(client: "MlflowClient", move: Move, before: int | None, wanted: Known) -> int:
    """Write the entry; its number. A store that is busy is asked again, and not written twice."""
    from mlflow.exceptions import MlflowException

    ledger, key = move.model + LEDGER_SUFFIX, uuid.uuid4().hex
    tags = {
        "edgefactory.key": key,
        "edgefactory.alias": move.alias,
        "edgefactory.from": NOBODY if before is None else str(before),
        "edgefactory.to": str(wanted.number),
        DIGEST_TAG: wanted.sha256,
        "edgefactory.by": move.by,
        "edgefactory.reason": move.reason,
    }
    ensure_model(client, ledger)
    source = f"models:/{move.model}/{wanted.number}"
    for attempt in range(1, TRIES + 1):
        try:
            made = client.create_model_version(ledger, source, tags=tags, await_creation_for=0)
        except MlflowException as error:
            if error.error_code not in _BUSY:
                raise
            # What failed may have been written all the same.
            written = [e for e in _read_ledger(client, move.model).entries if e.key == key]
            if written:
                return written[0].number
            if attempt == TRIES:
                raise
            _rest(attempt)
        else:
            return int(made.version)
    raise AssertionError("the last try returns or raises")


def _read_ledger(client: "MlflowClient", model: str) -> Ledger:
    name = model + LEDGER_SUFFIX
    return replay((_entry(one) for one in all_versions(client, name)), name)


def _entry(one: "ModelVersion") -> Entry:
    tags = one.tags
    try:
        before = tags["edgefactory.from"]
        return Entry(
            number=int(one.version),
            key=tags["edgefactory.key"],
            alias=tags["edgefactory.alias"],
            before=None if before == NOBODY else int(before),
            after=int(tags["edgefactory.to"]),
            digest=tags[DIGEST_TAG],
            by=tags["edgefactory.by"],
            reason=tags.get("edgefactory.reason", ""),
            at=int(one.creation_timestamp),
        )
    except (KeyError, ValueError) as error:
        raise TrustError(
            f"entry {one.version} of {one.name} is not one of ours ({error}); somebody wrote into "
            "the ledger by hand, restore it from a backup of the store"
        ) from error


def _project(client: "MlflowClient", model: str) -> Ledger:
    """The ledger, after MLflow's aliases say what it says.

    It is read again after each change: of two who put an alias right at once, the one who does so
    last sees what the other one saw. The store may refuse one of them, who then looks again too.
    """
    from mlflow.exceptions import MlflowException

    failures = 0
    while True:
        ledger = _read_ledger(client, model)
        held = {a: int(v) for a, v in client.get_registered_model(model).aliases.items()}
        wrong = {a: e.after for a, e in ledger.holders.items() if held.get(a) != e.after}
        if not wrong:
            return ledger
        try:
            for alias, number in wrong.items():
                client.set_registered_model_alias(model, alias, str(number))
        except MlflowException as error:
            failures += 1
            if error.error_code not in _MEANWHILE or failures == TRIES:
                raise
            _rest(failures)


def _rest(failures: int) -> None:
    """Before the next try."""
    time.sleep(random.uniform(0.5, 1) * min(LONGEST_S, 0.05 * 2**failures))
