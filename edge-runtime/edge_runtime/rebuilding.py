"""The journal again, after both of its copies were damaged: from what this box can prove.

The signed reports in the outbox say what ran. It is taken up again only where the high-water marks
are intact and allow it, every byte has its digest, and the self-test passes here and now; nothing
else runs.
"""

import logging

from edge_runtime import durable, proof
from edge_runtime.contract import FileRef, Release, Report, SignedReport, decode
from edge_runtime.contract.sealing import MAX_SIGNED_BYTES, peek, verify
from edge_runtime.errors import (
    ContractError,
    EdgeRuntimeError,
    MissingError,
    StorageError,
    TrustError,
)
from edge_runtime.hardware import hardware_classes
from edge_runtime.outbox import by_counter
from edge_runtime.state import Site, State
from edge_runtime.store import Journal, ModelSlots, Slot, load_journal, save_journal
from edge_runtime.trust import Marks, ModelMark, highwater

MAX_RELEASE_BYTES = 4 * 1024 * 1024

log = logging.getLogger(__name__)


def mend_journal(state: State, site: Site, now: float, threads: int = 1) -> bool:
    """Rebuild the journal if it is damaged; whether it was. `now` is seconds since 1970.

    Needs the state's lock. Raises TrustError when the high-water marks are damaged too.
    """
    try:
        load_journal(state.journal)
    except StorageError as error:
        log.warning("%s", error)
    else:
        return False
    marks = highwater.load(state.trust)
    reports = _newest_reports(state, site)
    models = {
        model: _slots(state, reports.get(model), marks, now, threads)
        for model in sorted(marks.models.keys() | reports.keys())
    }
    save_journal(state.journal, Journal(models=models))
    return True


def _newest_reports(state: State, site: Site) -> dict[str, Report]:
    """The newest report on each model that this device has signed."""
    found: dict[str, Report] = {}
    for path in by_counter(state):
        try:
            data = durable.read(path, MAX_SIGNED_BYTES, "a report")
            signed = decode(data, SignedReport, str(path))
            verify(signed, site.device_key)
            report = peek(signed)
        except (ContractError, MissingError, StorageError, TrustError) as error:
            log.warning("a report is of no use: %s", error)
            continue
        found[report.model] = report
    return found


def _slots(
    state: State, report: Report | None, marks: Marks, now: float, threads: int
) -> ModelSlots:
    ran = (report.active, report.previous) if report is not None else ()
    proven = []
    for sha256 in ran:
        if sha256 is None:
            continue
        try:
            proven.append(_slot(state, sha256, marks, now, threads))
        except EdgeRuntimeError as error:
            log.warning("release %s… is not taken up again: %s", sha256[:12], error)
    active, previous = (*proven, None, None)[:2]
    if active is None:
        reason = "the journal was damaged, and nothing here could be proven to have run"
        return ModelSlots(phase="failed", reason=f"{reason}; the next update brings a release")
    return ModelSlots(active, previous, "active", "the journal was damaged, and made anew")


def _slot(state: State, sha256: str, marks: Marks, now: float, threads: int) -> Slot:
    """The release with that digest, proven here and now. Raises errors of the proof."""
    contents = state.contents
    path = contents.path(FileRef(sha256, 0))
    data = durable.read(path, MAX_RELEASE_BYTES, "a release")
    ref = FileRef(sha256, len(data))
    release = decode(contents.read(ref), Release, f"release {sha256[:12]}")
    mark = marks.models.get(release.name, ModelMark())
    against = mark.against(release.sequence, sha256)
    if against:
        raise TrustError(f"it may not run: {against}")
    usable, _ = proof.candidates(release, hardware_classes())
    here = [c for c in usable if all(map(contents.holds, c.variant.files.values()))]
    proven, refused = proof.prove(release, here, contents, threads)
    if not proven:
        raise MissingError(f"no variant of it is whole and passes: {dict(refused)}")
    best = proven[0].candidate
    return Slot(
        ref,
        release.version,
        release.sequence,
        best.variant.name,
        best.variant.engine,
        since=round(now, 3),
        ms=round(proven[0].milliseconds, 4),
        provider=best.provider,
    )
