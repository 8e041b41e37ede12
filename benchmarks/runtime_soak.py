"""A day of the daemon in a minute (long form: five), and a minute in which nothing happens.

The daemon is `edge-runtime run` as systemd starts it. Its day is compressed by its own settings: an
interval of polls of seconds for 15 minutes, telemetry every second for every hour; the short form
ends after 24 of the 96 polls. Through it pictures are asked about at 20 a second, two updates for
ONNX Runtime, one for OpenVINO (in a worker), a rollback by hand, and a collector that is away
meanwhile. What has no setting is not compressed: the model's inputs are looked at once a second.
The day of that alone (86,400 looks; of the camera every twentieth) is watched in a process of its
own, by a recording's clock; the short form does a tenth.

`rss_slope_mb_per_day` is the slope of the daemon's resident memory over those polls, times 96. What
is `grown` is from before to after, both at rest and on the same engine; a first update, a worker
and a rollback come before. `idle_core_share` is the CPU of the daemon at rest, and that of a poll
that finds nothing every 15 minutes; `telemetry_lost` counts numbers that neither the collector nor
the spool has; `failed`, requests that were not answered 200, also while releases are replaced.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.watching.spool import Spool
from measured import Bound, Measured
from soak_site import Clients, Site, site, until
from soak_taken import Taken, cpu_s, is_polling, taken

SAYS = "a day of the daemon compressed: memory, descriptors, threads, files; the CPU of an idle one"

POLLS_A_DAY: Final = 96
INTERVAL_S: Final = 2.5
AT_REST_S: Final = 86_400.0  # an interval in which no poll falls into a measurement
SETTLE_S: Final = 8.0
_SIDE: Final = Path(__file__).with_name("soak_watching.py")


@dataclass
class Day:
    """What was seen through a day."""

    polls: list[float] = field(default_factory=list)
    seen: list[Taken] = field(default_factory=list)
    rollbacks: int = 0


def run(full: bool, /) -> Measured:
    """Soak."""
    polls, rest_s = (POLLS_A_DAY, 60.0) if full else (POLLS_A_DAY // 4, 30.0)
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as branch:
        branch.set(INTERVAL_S, 1)
        with branch.daemon() as daemon, Clients(branch.port) as clients:
            warm = Day()
            _live(branch, daemon.pid, clients, warm, 8)
            before = _at_rest(branch, daemon, clients)
            _say(f"warm: {before}")
            branch.set(INTERVAL_S, 1)
            daemon.send_signal(signal.SIGHUP)
            day = Day()
            _live(branch, daemon.pid, clients, day, polls)
            after = _at_rest(branch, daemon, clients)
            _say(f"after the day: {after}")
        resting = _resting(branch, rest_s)
        metrics = _metrics(branch, clients, day, before, after)
        metrics["resting_core_share"] = round(resting, 5)
        metrics["poll_cpu_s"] = round(_poll_cpu_s(branch), 3)
    share = resting + POLLS_A_DAY * metrics["poll_cpu_s"] / 86_400
    metrics["idle_core_share"] = round(share, 5)
    metrics |= _watched(0.1 if not full else 1.0)
    series = [asdict(one) for one in day.seen[:: max(1, len(day.seen) // 60)]]
    return Measured(metrics, bounds=_bounds(polls), peers={"day": series})


def _bounds(polls: int) -> dict[str, Bound]:
    most = {
        "rss_slope_mb_per_day": 5.0,
        "descriptors_grown": 0,
        "threads_grown": 0,
        "zombies": 0,
        "state_bytes_grown": 2_000_000,  # a log's file, and what a quota of 8 MB lets stay
        "failed": 0,
        "telemetry_lost": 0,
        "idle_core_share": 0.005,
        "watched_slope_mb_per_day": 5.0,
    }
    return {
        **{name: Bound("at_most", bound) for name, bound in most.items()},
        "polls": Bound("at_least", polls),
        "updates": Bound("at_least", 3),
        "rollbacks": Bound("at_least", 1),
    }


def _live(branch: Site, process: int, clients: Clients, day: Day, polls: int) -> None:
    """So many polls, with an update, another engine, a rollback, an update on the way."""
    begun = branch.events("polled")
    steps: list[tuple[float, Callable[[], object]]] = [
        (0.05, lambda: _update(branch, "onnxruntime")),
        (0.15, lambda: setattr(branch.collector, "up", False)),
        (0.3, lambda: _update(branch, "openvino")),
        (0.5, lambda: setattr(branch.collector, "up", True)),
        (0.6, lambda: _roll_back(branch, day)),
        (0.75, lambda: _update(branch, "onnxruntime")),
    ]
    clients.asking.set()
    done = 0
    while done < polls or steps:
        done = branch.events("polled") - begun
        while steps and done >= steps[0][0] * polls:
            steps.pop(0)[1]()
        day.polls.append(done)
        day.seen.append(taken(process, branch.state.folder))
        time.sleep(0.5)


def _update(branch: Site, engine: str) -> None:
    version = branch.publish(engine)
    until(lambda: branch.runs(version))
    _say(f"{version} for {engine} runs")


def _roll_back(branch: Site, day: Day) -> None:
    slots = branch.slots()
    assert slots.previous is not None
    day.rollbacks += 1
    serving = branch.events("serving")
    branch.command("rollback", "--model", "squares", "--reason", "by the benchmark")
    until(lambda: branch.events("serving") > serving)
    _say(f"back to {slots.previous.version}")


def _at_rest(branch: Site, daemon: "subprocess.Popen[bytes]", clients: Clients) -> Taken:
    """What the daemon takes when nothing is asked, polled, or waits to be told."""
    clients.asking.clear()
    branch.set(AT_REST_S, 1)
    daemon.send_signal(signal.SIGHUP)
    time.sleep(INTERVAL_S)
    until(lambda: not is_polling(daemon.pid))
    time.sleep(SETTLE_S)
    return taken(daemon.pid, branch.state.folder)


def _resting(branch: Site, seconds: float) -> float:
    """The share of a core that the daemon takes, told to tell every hour as it ships."""
    branch.set(AT_REST_S, 3600)
    with branch.daemon() as daemon:
        time.sleep(SETTLE_S)
        start, before = time.monotonic(), cpu_s(daemon.pid)
        time.sleep(seconds)
        return (cpu_s(daemon.pid) - before) / (time.monotonic() - start)


def _poll_cpu_s(branch: Site) -> float:
    """The CPU seconds of a poll that finds nothing: the command that the daemon starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        branch.command("once", "--trial", "--json", "--model", "squares")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 3


def _metrics(
    branch: Site, clients: Clients, day: Day, before: Taken, after: Taken
) -> dict[str, float]:
    slope = np.polyfit(np.asarray(day.polls) / POLLS_A_DAY, [one.mb for one in day.seen], 1)[0]
    return {
        "polls": day.polls[-1],
        "updates": branch.events("committed"),
        "rollbacks": day.rollbacks,
        "requests": clients.answered,
        "failed": len(clients.failed),
        "log_bytes": sum(file.stat().st_size for file in branch.state.logs.iterdir()),
        "rss_mb": round(after.mb, 1),
        "rss_slope_mb_per_day": round(float(slope), 2),
        "rss_grown_mb": round(after.mb - before.mb, 2),
        "descriptors_grown": after.descriptors - before.descriptors,
        "threads_grown": after.threads - before.threads,
        "files_grown": after.files - before.files,
        "state_bytes_grown": after.state_bytes - before.state_bytes,
        "zombies": max(before.zombies, after.zombies),
        "workers_left": after.workers,
        **_told(branch),
    }


def _told(branch: Site) -> dict[str, float]:
    """What the collector was told, and what neither it nor the spool has."""
    spool = Spool(branch.state.folder / "spool.sqlite")
    there = {(spool.epoch, entry.sequence) for entry in spool.batch(10**9)}
    spool.close()
    told = branch.collector.told
    last = max(number for _, number in told | there)
    return {
        "telemetry": len(told),
        "telemetry_at_once": branch.collector.largest,
        "telemetry_lost": last - len(told | there),
    }


def _watched(share: float) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(_SIDE), str(share)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
