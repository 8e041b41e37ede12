"""What reports say of a wave, and what is missing for the next one."""

import msgspec
import pytest

from edge_runtime.contract import Device, Report, Rollout
from edgefactory.registry.rollouts import Needs
from edgefactory.registry.rollouts.evidence import outcome_of, share_interval, shortfalls, standing

NEW, OLD = "b" * 64, "a" * 64
ROLLOUT = Rollout(
    *("rollout/1", "m", 2, NEW, "releases/m/2.0.0/release.json", 16384),
    edition=4,
    hardware=("cpu",),
)
DEVICES = [Device("device/1", f"s-{n}", "", ("cpu",), f"{n:064x}") for n in range(100)]
NEEDS = Needs(hours=2, sites=50, heard=0.8, success=0.9, errors=0.02)
GOOD = Report(
    *("report/1", "s-0", 1, 0, "m", ("cpu",), 4, NEW, NEW, OLD, {}, "active", "ok"), latency_ms=1.0
)
REFUSED = msgspec.structs.replace(GOOD, active=OLD, phase="failed", reason="decides otherwise")


def stand(good: int, bad: int = 0, other: Report | None = None, others: int = 0) -> tuple[str, ...]:
    said = [GOOD] * good + [REFUSED] * bad + [other or GOOD] * others
    reports = {f"s-{n}": report for n, report in enumerate(said)}
    found = standing(ROLLOUT, DEVICES, reports, 0.95)
    assert found.sites == 100
    return shortfalls(found, NEEDS, age=7200)


def test_enough_successes_are_enough() -> None:
    assert stand(good=100) == ()


def test_silence_never_widens() -> None:
    missing = stand(good=0)
    assert any("silence never widens" in line for line in missing)
    assert any("0 of 100 sites that take part were heard" in line for line in missing)
    assert any("0 of 0 succeeded: between 0.0% and 100.0%" in line for line in missing)


def test_the_silent_are_asked_for_even_if_all_others_succeed() -> None:
    (missing,) = stand(good=79)
    assert "79 of 100 sites that take part were heard (79.0%); 80.0% are needed" in missing


def test_the_lower_end_of_the_interval_decides_and_not_the_bare_share() -> None:
    (missing,) = stand(good=95, other=msgspec.structs.replace(GOOD, active=OLD), others=5)
    assert "95 of 100 succeeded: between 88.7% and 98.4%" in missing  # 95% ≥ 90%, 88.7% is not


def test_failures_stop_a_wave_that_else_would_do() -> None:
    (missing,) = stand(good=97, bad=3)
    assert "3 of 100 failed (3.0%); at most 2.0% may (decides otherwise)" in missing


@pytest.mark.parametrize(
    ("active", "offered", "phase", "health", "outcome"),
    [
        (NEW, NEW, "active", "ok", "succeeded"),
        (NEW, None, "active", "ok", "succeeded"),
        (OLD, NEW, "trial", "ok", "under way"),  # decides beside the one that runs
        (NEW, NEW, "dwell", "ok", "under way"),  # runs, on probation
        (OLD, NEW, "dwell", "ok", "under way"),  # the one before is on probation still
        (OLD, NEW, "active", "ok", "under way"),
        (None, NEW, "trial", "none", "under way"),
        (NEW, NEW, "dwell", "failing", "failed"),
        (NEW, NEW, "active", "failing", "failed"),
        (OLD, NEW, "failed", "ok", "failed"),  # barred, or gone back from
        (None, NEW, "failed", "none", "failed"),
        (OLD, None, "failed", "ok", "under way"),  # it did not come as far as the offer
        (OLD, OLD, "failed", "ok", "under way"),
    ],
)
def test_what_a_report_says_of_the_release(
    active: str | None, offered: str | None, phase: str, health: str, outcome: str
) -> None:
    said = msgspec.structs.replace(GOOD, active=active, offered=offered, phase=phase, health=health)
    assert outcome_of(ROLLOUT, said) == outcome


def test_a_young_wave_waits() -> None:
    found = standing(ROLLOUT, DEVICES, {d.site: GOOD for d in DEVICES}, 0.95)
    assert shortfalls(found, NEEDS, age=3600) == ("the wave is 1.0 h old; 2 h are needed",)


@pytest.mark.parametrize("edition", [0, 3, 5])
def test_a_report_of_another_wave_is_silence(edition: int) -> None:
    other = msgspec.structs.replace(GOOD, edition=edition)
    assert any("0 sites were heard" in line for line in stand(0, other=other, others=100))


@pytest.mark.parametrize(
    "report",
    [
        msgspec.structs.replace(GOOD, health="failing"),
        msgspec.structs.replace(GOOD, phase="failed", health="failing", reason="damaged"),
        REFUSED,
    ],
)
def test_what_counts_as_a_failure(report: Report) -> None:
    found = standing(ROLLOUT, DEVICES[:1], {"s-0": report}, 0.95)
    assert (found.heard, found.failed) == (1, 1)


def test_sites_outside_of_the_rings_and_filters_do_not_count() -> None:
    other = msgspec.structs.replace(GOOD, hardware=("sm86",))
    found = standing(ROLLOUT, DEVICES, {"s-0": other}, 0.95)
    assert (found.sites, found.heard) == (99, 0)
    nobody = msgspec.structs.replace(ROLLOUT, bound=0)
    assert standing(nobody, DEVICES, {d.site: GOOD for d in DEVICES}, 0.95).sites == 0


def test_the_interval_is_clopper_and_pearsons() -> None:
    """2 of 2: 0.025^(1/2); 7 of 7: 0.025^(1/7). The rings file states both."""
    assert share_interval(2, 2, 0.95)[0] == pytest.approx(0.025 ** (1 / 2))
    assert share_interval(7, 7, 0.95)[0] == pytest.approx(0.025 ** (1 / 7))
    assert share_interval(150, 152, 0.95)[0] == pytest.approx(0.953, abs=0.0005)
    assert share_interval(0, 5, 0.95)[0] == 0.0
