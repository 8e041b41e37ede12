"""Which reports are believed: signed by the device that they speak for, new, and not too old.

Pure. A report is refused by name:

- `malformed`  it is not a signed report
- `foreign`    its site is none of ours, or the key is not the one that this site was enrolled with
- `forged`     the signature does not verify
- `stale`      it is older than reports may be, or from a time that has not come
- `replayed`   a newer one of this site was heard before, or its number was used for another one
"""

from collections import defaultdict
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
    newest are left alone: an outbox holds several.
    """
    refused: list[Refused] = []
    by_site: dict[str, list[_Candidate]] = defaultdict(list)
    for source, data in found:
        candidate = _parsed(source, data, devices, refused)
        if candidate is not None and candidate.report.model == model:
            by_site[candidate.report.site].append(candidate)
    reports, sites = {}, dict(ledger.sites)
    for site, candidates in sorted(by_site.items()):
        before = ledger.sites.get(site, {})
        newest = _newest(candidates, devices[site], refused)
        if newest is None or not _counts(newest, before.get(model), window, refused):
            continue
        reports[site] = newest.report
        last = LastHeard(newest.report.counter, newest.sha256)
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


def _newest(
    candidates: list[_Candidate], device: Device, refused: list[Refused]
) -> _Candidate | None:
    """The candidate with the highest counter whose signature verifies."""
    for candidate in sorted(candidates, key=lambda c: c.report.counter, reverse=True):
        try:
            verify(candidate.signed, device.key)
        except RuntimeTrustError as error:
            refused.append(Refused(candidate.source, "forged", str(error)))
            continue
        return candidate
    return None


def _counts(
    newest: _Candidate,
    before: LastHeard | None,
    window: tuple[float, float],
    refused: list[Refused],
) -> bool:
    report, (oldest, now) = newest.report, window
    if before is not None and report.counter < before.counter:
        text = f"number {report.counter} of {report.site}, after {before.counter} was heard"
        refused.append(Refused(newest.source, "replayed", text))
        return False
    if before is not None and report.counter == before.counter and newest.sha256 != before.sha256:
        text = f"number {report.counter} of {report.site} was heard with other contents"
        refused.append(Refused(newest.source, "replayed", text))
        return False
    if not oldest <= report.time <= now + FUTURE_S:
        age = (now - report.time) / 3600
        text = f"{age:.1f} h old" if age > 0 else f"from {-age:.1f} h ahead"
        refused.append(Refused(newest.source, "stale", f"of {report.site}, {text}"))
        return False
    return True
