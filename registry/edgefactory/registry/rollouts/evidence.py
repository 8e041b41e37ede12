"""What the reports of a wave say, and whether that is enough to go on: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from edge_runtime.contract import Device, Report, Rollout, takes_part
from edgefactory.registry.rollouts.rings import Needs

SHOWN_REASONS = 3


class Standing(Struct, frozen=True):
    """How a wave stands. Sites are those that take part in the rollout as it is signed.

    `heard` have reported since this edition was signed; of these `succeeded` run the release and
    could run it again now, `failed` refused it or run it badly, and the others are on the way.
    `interval` is the exact two-sided one (Clopper and Pearson 1934) of succeeded among heard.
    """

    sites: int
    heard: int
    succeeded: int
    failed: int
    confidence: float
    interval: tuple[float, float] | None
    reasons: dict[str, int]


def standing(
    rollout: Rollout, devices: Iterable[Device], reports: Mapping[str, Report], confidence: float
) -> Standing:
    """How the wave of `rollout` stands by `reports` (the newest of each site, verified).

    A report about another edition counts as silence: the site has not seen this wave yet.
    """
    sites, outcomes, reasons = 0, Counter[str](), Counter[str]()
    for device in devices:
        report = reports.get(device.site)
        hardware = report.hardware if report else device.hardware
        if not any(takes_part(rollout, device.site, kind, device.region) for kind in hardware):
            continue
        sites += 1
        if report is None or report.edition != rollout.edition:
            continue
        outcome = outcome_of(rollout, report)
        outcomes[outcome] += 1
        if outcome == "failed":
            reasons[report.reason or "runs badly"] += 1
    heard = outcomes.total()
    return Standing(
        sites=sites,
        heard=heard,
        succeeded=outcomes["succeeded"],
        failed=outcomes["failed"],
        confidence=confidence,
        interval=share_interval(outcomes["succeeded"], heard, confidence) if heard else None,
        reasons=dict(reasons.most_common(SHOWN_REASONS)),
    )


def outcome_of(rollout: Rollout, report: Report) -> str:
    """`succeeded`, `failed` or `under way`: what `report` says of the release of `rollout`."""
    runs = report.active == rollout.release
    if runs and report.phase == "active" and report.health == "ok":
        return "succeeded"
    refused = report.phase == "failed" and report.offered == rollout.release
    return "failed" if refused or (runs and report.health != "ok") else "under way"


def share_interval(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934), two-sided."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def shortfalls(found: Standing, needs: Needs, age: float) -> tuple[str, ...]:
    """What is missing for the next wave, a line each; `age` of the present one is in seconds."""
    missing = []
    if age < needs.hours * 3600:
        missing.append(f"the wave is {age / 3600:.1f} h old; {needs.hours:g} h are needed")
    if found.heard < needs.sites:
        missing.append(
            f"{found.heard} sites were heard since it began; {needs.sites} are needed, and "
            "silence never widens"
        )
    share = found.heard / found.sites if found.sites else 0.0
    if share < needs.heard:
        missing.append(
            f"{found.heard} of {found.sites} sites that take part were heard ({share:.1%}); "
            f"{needs.heard:.1%} are needed"
        )
    low, high = found.interval or (0.0, 1.0)
    if low < needs.success:
        missing.append(
            f"{found.succeeded} of {found.heard} succeeded: between {low:.1%} and {high:.1%} with "
            f"{found.confidence:.0%} confidence; {needs.success:.1%} are needed at the lower end"
        )
    errors = found.failed / found.heard if found.heard else 0.0
    if errors > needs.errors:
        first = next(iter(found.reasons), "")
        missing.append(
            f"{found.failed} of {found.heard} failed ({errors:.1%}); at most {needs.errors:.1%} "
            f"may ({first})"
        )
    return tuple(missing)
