"""What a site reports of each update, and of what became of it: signed, counted, kept until
fetched."""

from pathlib import Path
from typing import Literal

from msgspec import UNSET

from edge_runtime import durable, engines
from edge_runtime.contract import Report, encode
from edge_runtime.contract.reports import MAX_REASON
from edge_runtime.contract.sealing import seal
from edge_runtime.device import load_device_key
from edge_runtime.errors import EdgeRuntimeError, MissingError
from edge_runtime.hardware import hardware_classes
from edge_runtime.running import active
from edge_runtime.state import Site, State
from edge_runtime.store import Heard, load_journal
from edge_runtime.trust import highwater

MOST_KEPT = 64  # reports; about a kilobyte each
SUFFIX = ".report.json"
_MAX_COUNTER_BYTES = 32


def write_report(state: State, site: Site, model: str, heard: Heard, now: float) -> None:
    """Put a signed report on `model` into the outbox; `now` is seconds since 1970.

    Needs the state's lock. Raises TrustError (device key), StorageError.
    """
    slots = load_journal(state.journal).of(model)
    running, previous = slots.active, slots.previous
    report = Report(
        schema="report/1",
        site=site.site,
        counter=_next_counter(state, now),
        time=int(now),
        model=model,
        hardware=hardware_classes(),
        edition=heard.edition,
        offered=heard.offer.release if heard.offer else None,
        active=running.release.sha256 if running else None,
        previous=previous.release.sha256 if previous else None,
        metadata={role: mark.version for role, mark in highwater.load(state.trust).roles.items()},
        phase=slots.phase,
        health="none" if running is None else "failing" if slots.down else _health(state, model),
        reason=(slots.down or slots.reason)[:MAX_REASON],
        latency_ms=running.ms if running else None,
        provider=(running.provider if running else None) or UNSET,
    )
    sealed = encode(seal(report, load_device_key(state)))
    durable.make_folder(state.outbox)
    durable.write(state.outbox / f"{site.site}-{report.counter:012d}{SUFFIX}", sealed)
    _drop_oldest(state)


def _next_counter(state: State, now: float) -> int:
    """A number above every one before, written down before it is used.

    It follows the clock, so that a box whose state was lost still counts on, and goes on by one
    where the clock stands still or was set back.
    """
    try:
        data = durable.read(state.report_counter, _MAX_COUNTER_BYTES, "the report counter")
        last = int(data) if data.isdigit() else 0
    except MissingError:
        last = 0
    counter = max(last + 1, int(now))
    durable.write(state.report_counter, str(counter).encode())
    return counter


def _health(state: State, model: str) -> Literal["ok", "failing"]:
    """Whether what is active could be run now: allowed, its engine here, its files intact."""
    try:
        variant = active(state, model).variant
    except EdgeRuntimeError:
        return "failing"
    whole = all(state.contents.holds(ref) for ref in variant.files.values())
    return "ok" if whole and engines.unavailable(variant.engine) is None else "failing"


def by_counter(state: State) -> list[Path]:
    """The reports in the outbox, the oldest first. Raises StorageError."""
    with durable.storage(state.outbox):
        return sorted(state.outbox.glob(f"*{SUFFIX}"), key=lambda path: path.name[-24:])


def _drop_oldest(state: State) -> None:
    for path in by_counter(state)[:-MOST_KEPT]:
        durable.remove(path)
