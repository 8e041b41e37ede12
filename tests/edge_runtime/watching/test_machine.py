"""What Linux tells of the box, from files as it writes them."""

from pathlib import Path

import pytest

from edge_runtime.watching.machine import look


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "proc/stat": "cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 1 2 3\n",
        "proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable:  1000000 kB\n",
        "proc/self/status": "Name:\tpython\nVmRSS:\t   80000 kB\n",
        "sys/class/thermal/thermal_zone0/temp": "47500\n",
        "sys/class/thermal/thermal_zone1/temp": "255000\n",
        "sys/class/hwmon/hwmon0/temp1_input": "61250\n",
        "sys/class/hwmon/hwmon0/temp2_input": "broken\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_shares_are_of_the_time_between_two_looks(root: Path) -> None:
    first, counters = look(root, None, root)
    assert (first.cpu, first.throttled) == (None, None)
    (root / "proc/stat").write_text("cpu  160 0 65 910 65 0 0 0 7 0\n")
    throttle = root / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    throttle.write_text("5\n")
    second, _ = look(root, counters, root)
    assert (second.cpu, second.throttled) == (0.375, 2)
    assert (second.memory_free_mb, second.process_mb, second.celsius) == (1024.0, 81.9, 61.25)
    assert second.disk_free_mb is not None


def test_a_box_that_tells_nothing_says_so(tmp_path: Path) -> None:
    found, counters = look(tmp_path / "gone", None, tmp_path)
    assert (found.cpu, found.celsius, found.disk_free_mb) == (None, None, None)
    assert look(tmp_path, counters, tmp_path)[0].cpu is None


def test_this_box_tells_of_itself(tmp_path: Path) -> None:
    found, _ = look(tmp_path, None)
    assert found.process_mb is not None
    assert found.process_mb > 10
