"""Joules are read from the kernel's counters, over their end, or not at all."""

from pathlib import Path

import pytest

from edgefactory.compress.energy import counters, millijoules

WRAPS = 1_000_000


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """Two packages, and the domain of one's cores, which is not to be counted twice."""
    for name in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text("999000\n")
        (tmp_path / name / "max_energy_range_uj").write_text(f"{WRAPS}\n")
    return tmp_path


def test_what_a_call_takes_is_counted_over_the_counters_end(powercap: Path) -> None:
    def call() -> None:
        for package in ("intel-rapl:0", "intel-rapl:1"):
            path = powercap / package / "energy_uj"
            path.write_text(str((int(path.read_text()) + 3000) % (WRAPS + 1)))

    found, calls = millijoules(call, counters(powercap), seconds=0.0)
    assert (found, calls) == (6.0, 1)


def test_nothing_is_read_where_there_is_nothing_or_one_may_not(
    powercap: Path, tmp_path: Path
) -> None:
    assert len(counters(powercap)) == 2
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert counters(powercap) == ()
    assert counters(tmp_path / "nowhere") == ()
