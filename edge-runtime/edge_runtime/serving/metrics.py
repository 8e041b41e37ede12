"""What was served: counters for Prometheus, and the last two minutes for the status page.

The text is Prometheus' exposition format 0.0.4. Only models that are loaded become labels, so
clients cannot make series.
"""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SECONDS = 120
KIND = "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def lines(self, name: str, labels: str) -> Iterable[str]:
        below = 0
        for most, count in zip((*BUCKETS, "+Inf"), self.counts, strict=True):
            below += count
            yield f'{name}_bucket{{{labels},le="{most}"}} {below}'
        yield f"{name}_sum{{{labels}}} {self.total:.6f}"
        yield f"{name}_count{{{labels}}} {below}"


@dataclass
class Second:
    """Requests for inference that were answered within one second, and how long they took.

    `failed` of the `count` were not answered 200; times are of the others.
    """

    at: int
    count: int = 0
    failed: int = 0
    total_ms: float = 0.0
    most_ms: float = 0.0

    @property
    def mean_ms(self) -> float:
        """Of those answered 200; 0.0 when there were none."""
        return self.total_ms / max(1, self.count - self.failed)


@dataclass
class Metrics:
    """Belongs to whoever holds the server's lock."""

    requests: dict[tuple[str, int], int] = field(default_factory=dict)
    received: int = 0
    sent: int = 0
    recent: deque[Second] = field(default_factory=lambda: deque(maxlen=SECONDS))
    _latency: dict[str, _Histogram] = field(default_factory=dict)

    def count(self, model: str, status: int, received: int, sent: int) -> None:
        """A request was answered."""
        key = (model, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        self.received += received
        self.sent += sent

    def inferred(self, model: str, status: int, seconds: float) -> None:
        """A request for inference was answered `seconds` after it had come."""
        at = int(time.time())
        if not self.recent or self.recent[-1].at != at:
            self.recent.append(Second(at))
        second = self.recent[-1]
        second.count += 1
        if status != 200:  # a refusal is fast, and no latency
            second.failed += 1
            return
        self._latency.setdefault(model, _Histogram()).add(seconds)
        second.total_ms += seconds * 1000
        second.most_ms = max(second.most_ms, seconds * 1000)

    def text(self, gauges: Mapping[str, float], info: Iterable[Mapping[str, str]]) -> bytes:
        """Everything for Prometheus; `gauges` and the models' `info` are as of now."""
        name = "edge_runtime_requests_total"
        lines = [f"# HELP {name} Requests answered.", f"# TYPE {name} counter"]
        for (model, status), count in sorted(self.requests.items()):
            lines.append(f'{name}{{model="{model}",code="{status}"}} {count}')
        name = "edge_runtime_request_seconds"
        lines += [
            f"# HELP {name} From a whole request to its answer, where that was 200.",
            f"# TYPE {name} histogram",
        ]
        for model, histogram in sorted(self._latency.items()):
            lines += histogram.lines(name, f'model="{model}"')
        for way, value in (("received", self.received), ("sent", self.sent)):
            name = f"edge_runtime_{way}_bytes_total"
            lines += [f"# TYPE {name} counter", f"{name} {value}"]
        for name, gauge in gauges.items():
            lines += [f"# TYPE edge_runtime_{name} gauge", f"edge_runtime_{name} {gauge:g}"]
        lines.append("# TYPE edge_runtime_model_info gauge")
        for entry in info:
            labels = ",".join(f'{key}="{value}"' for key, value in entry.items())
            lines.append(f"edge_runtime_model_info{{{labels}}} 1")
        return "\n".join([*lines, ""]).encode()
