"""What a benchmark came to, and the one line that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from edgefactory.compress import host


@dataclass(frozen=True)
class Bound:
    """What a metric must reach."""

    kind: Literal["at_least", "at_most"]
    bound: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps it."""
        return value >= self.bound if self.kind == "at_least" else value <= self.bound


@dataclass(frozen=True)
class Measured:
    """Metrics by name; `floor`, what arithmetic or the bare engine allows for some of them;
    `bounds`, what they must reach; `peers`, figures of others to compare with."""

    metrics: Mapping[str, float]
    floor: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    peers: Mapping[str, object] = field(default_factory=dict)

    def broken(self) -> tuple[str, ...]:
        """The metrics that do not reach their bound."""
        return tuple(
            name for name, bound in self.bounds.items() if not bound.holds(self.metrics[name])
        )

    def document(self, name: str, seconds: float) -> dict[str, object]:
        """The JSON object that a benchmark prints last."""
        bounds = {
            metric: {bound.kind: bound.bound, "holds": bound.holds(self.metrics[metric])}
            for metric, bound in self.bounds.items()
        }
        return {
            "name": name,
            "metrics": dict(self.metrics),
            "floor": dict(self.floor),
            "bounds": bounds,
            "peers": dict(self.peers),
            "host": msgspec.to_builtins(host()),
            "seconds": round(seconds, 1),
        }
