"""Which reports are believed: signed by the device that they speak for, new, and not too old.

Pure. A report is refused by name:

- `malformed`  it is not a signed report
- `foreign`    its site is none of ours, or the key is not the one that this site was enrolled with
- `forged`     the signature does not verify
- `stale`      it is older than reports may be, or from a time that has not come
- `replayed`   a newer one of this site was heard before, or its number was used for another one
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from edge_runtime.contract import Device, Report, SignedReport, decode, digest
from edge_runtime.contract.sealing import MAX_SIGNED_BYTES, peek, verify
from edge_runtime.errors import ContractError
from edge_runtime.errors import TrustError as RuntimeTrustError

FUTURE_S = 300  # that a site's clock may run ahead
Why = Literal["malformed", "foreign", "forged", "stale", "replayed"]


class Refused(Struct, frozen=True):
    """A report that does not count: where it lay, why, and what was found."""

    source: str
    why: Why
    found: str


class LastHeard(Struct, frozen=True, forbid_unknown_fields=True):
    """The number of the last report of a site on a model, and the SHA-256 of what was signed."""

    counter: int
    sha256: str


class Ledger(Struct, frozen=True, forbid_unknown_fields=True):
    """What was heard before, so that nothing older is believed again: site → model → last."""

    schema: Literal["heard/1"] = "heard/1"
    sites: dict[str, dict[str, LastHeard]] = {}


class Hearing(Struct, frozen=True):
    """The newest believed report of each site, what was refused, and the ledger after it."""

    reports: dict[str, Report]
    refused: tuple[Refused, ...]
    ledger: Ledger


class _Candidate(Struct, frozen=True):
    source: str
    signed: SignedReport
    report: Report
    sha256: str


def hear(
    found: Iterable[tuple[str, bytes]],
    model: str,
    devices: Mapping[str, Device],
    ledger: Ledger,
    window: tuple[float, float],
) -> Hearing:
    """The newest report on `model` of each site in `found` (where it lay, its bytes).

    `window` is (oldest, now), seconds since 1970. Older reports of a site that lie beside its
    newest are left alone: an outbox holds several. Quickest when the newest come first.
    """
    refused: list[Refused] = []
    newest: dict[str, _Candidate] = {}
    for source, data in found:
        candidate = _parsed(source, data, devices, refused)
        if candidate is None or candidate.report.model != model:
            continue
        site, counter = candidate.report.site, candidate.report.counter
        if site in newest and counter <= newest[site].report.counter:
            continue
        if _genuine(candidate, devices[site], refused):
            newest[site] = candidate
    reports, sites = {}, dict(ledger.sites)
    for site, candidate in sorted(newest.items()):
        before = ledger.sites.get(site, {})
        if _counts(candidate, before.get(model), window, refused):
            reports[site] = candidate.report
            last = LastHeard(candidate.report.counter, candidate.sha256)
            sites[site] = {**before, model: last}
    return Hearing(reports, tuple(refused), Ledger("heard/1", sites))


def _parsed(
    source: str, data: bytes, devices: Mapping[str, Device], refused: list[Refused]
) -> _Candidate | None:
    if len(data) > MAX_SIGNED_BYTES:
        refused.append(Refused(source, "malformed", f"longer than {MAX_SIGNED_BYTES} bytes"))
        return None
    try:
        signed = decode(data, SignedReport, source)
        report = peek(signed)
    except ContractError as error:
        refused.append(Refused(source, "malformed", str(error)))
        return None
    device = devices.get(report.site)
    if device is None:
        refused.append(Refused(source, "foreign", f"site {report.site} is not enrolled here"))
        return None
    if signed.signatures[0].keyid != device.key:
        text = f"site {report.site} was enrolled with another device key"
        refused.append(Refused(source, "foreign", text))
        return None
    return _Candidate(source, signed, report, digest(signed.payload))


def _genuine(candidate: _Candidate, device: Device, refused: list[Refused]) -> bool:
    try:
        verify(candidate.signed, device.key)
    except RuntimeTrustError as error:
        refused.append(Refused(candidate.source, "forged", str(error)))
        return False
    return True


def _counts(
    candidate: _Candidate,
    before: LastHeard | None,
    window: tuple[float, float],
    refused: list[Refused],
) -> bool:
    report, (oldest, now) = candidate.report, window
    if before is not None and report.counter < before.counter:
        text = f"number {report.counter} of {report.site}, after {before.counter} was heard"
        refused.append(Refused(candidate.source, "replayed", text))
        return False
    if (
        before is not None
        and report.counter == before.counter
        and candidate.sha256 != before.sha256
    ):
        text = f"number {report.counter} of {report.site} was heard with other contents"
        refused.append(Refused(candidate.source, "replayed", text))
        return False
    if not oldest <= report.time <= now + FUTURE_S:
        age = (now - report.time) / 3600
        text = f"{age:.1f} h old" if age > 0 else f"from {-age:.1f} h ahead"
        refused.append(Refused(candidate.source, "stale", f"of {report.site}, {text}"))
        return False
    return True
