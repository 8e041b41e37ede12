"""What a benchmark came to, and the one line that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from edgefactory.compress import host


@dataclass(frozen=True)
class Floor:
    """The bound that a metric must keep."""

    kind: Literal["at_least", "at_most"]
    bound: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps it."""
        return value >= self.bound if self.kind == "at_least" else value <= self.bound


@dataclass(frozen=True)
class Measured:
    """Metrics by name, the floors of some of them, and figures of others to compare with."""

    metrics: Mapping[str, float]
    floors: Mapping[str, Floor] = field(default_factory=dict)
    peers: Mapping[str, object] = field(default_factory=dict)

    def broken(self) -> tuple[str, ...]:
        """The metrics that do not keep their floor."""
        return tuple(
            name for name, floor in self.floors.items() if not floor.holds(self.metrics[name])
        )

    def document(self, name: str, seconds: float) -> dict[str, object]:
        """The JSON object that a benchmark prints last."""
        floors = {
            metric: {floor.kind: floor.bound, "holds": floor.holds(self.metrics[metric])}
            for metric, floor in self.floors.items()
        }
        return {
            "name": name,
            "metrics": dict(self.metrics),
            "floor": floors,
            "peers": dict(self.peers),
            "host": msgspec.to_builtins(host()),
            "seconds": round(seconds, 1),
        }
