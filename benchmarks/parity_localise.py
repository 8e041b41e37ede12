"""Seeded faults in pipelines, and whether `edgefactory parity` names the right stage and layer.

Twelve faults (`parity_faults`), each in four networks (`parity_networks`: two classifiers, two
detectors) that take turns over the seeds. A seed draws the pictures, and what the fault leaves to
chance. As the command does it: both pipelines decide about the pictures; where the equivalence test
does not say "equivalent", the chain is bisected on the pictures where it shows most.

`<fault>.localised_share` is the share of seeds whose right stage is named, as a fault, and one of
the right layers where the fault is a layer's. A fault that changes no decision at all on those
pictures is harmless: the command says so (`equivalent`, or too few pictures to tell, nothing
changed) and looks no further. Such seeds are not counted in the share, and others are drawn until
20 count (FULL=1: 40); `peers` holds how many were harmless (`harmless`), how many were harmful yet
shown to be equivalent (within the margin; they count, and are bisected all the same), how often the
kind was told too ("the colours come as BGR"), and what was said instead where it went wrong.

The control has no fault, and three times as many seeds: other engines, and quantized forms
calibrated on other right pictures. It is always bisected. `control.accused_share` is how often any
fault is named there.
"""

import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgefactory.compress.parity import Bisection, Looking, bisect
from edgefactory.compress.parity.choosing import telling
from edgefactory.compress.parity.equivalence import moves_test, share_test, together
from edgefactory.compress.parity.pairing import paired
from edgefactory.datasets.errors import EdgefactoryError
from measured import Bound, Measured
from parity_faults import DETECTORS_ONLY, FAULTS, Fault, control
from parity_networks import Network, networks

SAYS = "seeded faults of a pipeline, and whether parity names the right stage and layer"

LEAST: Final = 0.95
ACCUSED: Final = 0.05
POINT: Final = 0.3
_MARGINS: Final = (0.05, 0.02)
_ASKED: Final = 60  # pictures a seed
_TRIES: Final = 6  # times as many seeds as are wanted, at most


@dataclass(frozen=True)
class Tried:
    """One seed: the verdict, changed decisions, and what was named."""

    seed: int
    network: str
    verdict: str
    changed: int
    fault: Fault
    found: Bisection | None

    @property
    def right(self) -> bool:
        """Whether the stage is named, and a layer where the fault is one layer's."""
        found = self.found.found if self.found else None
        if found is None or not found.fault or found.stage not in self.fault.stages:
            return False
        return not self.fault.layers or found.layer in self.fault.layers

    @property
    def told(self) -> bool:
        """Whether the kind is named too."""
        found = self.found.found if self.found else None
        return self.right and found is not None and found.kind in self.fault.kinds

    @property
    def said(self) -> str:
        """What was said, for whoever looks at a miss."""
        found = self.found.found if self.found else None
        return f"seed {self.seed}, {self.network}: {found.says if found else 'nothing'}"


def run(full: bool, /) -> Measured:
    """20 harmful seeds of each fault, or 40."""
    wanted = 40 if full else 20
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        return measure(networks(Path(folder)), wanted)


def measure(subjects: Sequence[Network], wanted: int) -> Measured:
    """All faults and the control in these networks."""
    metrics: dict[str, float] = {}
    peers: dict[str, object] = {}
    for name, make in FAULTS.items():
        fit = [n for n in subjects if name not in DETECTORS_ONLY or n.task == "detection"]
        tried = _tried(make, fit, wanted)
        counted = [one for one in tried if one.changed]
        metrics[f"{name}.localised_share"] = _share([one.right for one in counted])
        peers[name] = _row(tried, counted)
        sys.stderr.write(f"{name}: {metrics[f'{name}.localised_share']} {peers[name]}\n")
    bounds = {metric: Bound("at_least", LEAST) for metric in metrics}
    plain = [_try(control, subjects[seed % len(subjects)], seed, always=True)
             for seed in range(3 * wanted)]  # fmt: skip
    accused = [one for one in plain if one.found and one.found.found and one.found.found.fault]
    metrics["control.accused_share"] = _share([one in accused for one in plain])
    bounds["control.accused_share"] = Bound("at_most", ACCUSED)
    peers["control"] = {
        "seeds": len(plain),
        "verdicts": dict(Counter(one.verdict for one in plain)),
        "accused": [one.said for one in accused],
    }
    return Measured(metrics, bounds=bounds, peers=peers)


def _share(good: Sequence[bool]) -> float:
    return round(sum(good) / len(good), 4) if good else 0.0


def _row(tried: Sequence[Tried], counted: Sequence[Tried]) -> dict[str, object]:
    return {
        "counted": len(counted),
        "harmless": len(tried) - len(counted),
        "equivalent_though_harmful": sum(one.verdict == "equivalent" for one in counted),
        "kind_share": _share([one.told for one in counted]),
        "by_network": dict(Counter(one.network for one in counted)),
        "missed": [one.said for one in counted if not one.right],
        "kind_missed": [one.said for one in counted if one.right and not one.told][:6],
    }


def _tried(
    make: Callable[[Network, np.random.Generator], Fault], subjects: Sequence[Network], wanted: int
) -> list[Tried]:
    made: list[Tried] = []
    for seed in range(_TRIES * wanted):
        made.append(_try(make, subjects[seed % len(subjects)], seed))
        if sum(one.changed > 0 for one in made) == wanted:
            break
    return made


def _try(
    make: Callable[[Network, np.random.Generator], Fault],
    network: Network,
    seed: int,
    *,
    always: bool = False,
) -> Tried:
    rng = np.random.default_rng([zlib.crc32(make.__name__.encode()), seed])
    chosen = rng.permutation(len(network.pictures))[:_ASKED]
    pictures = [network.pictures[int(at)] for at in chosen]
    fault = make(network, rng)
    try:
        answers = [
            [side.answer(picture) for picture in pictures]
            for side in (fault.reference, fault.other)
        ]
    except EdgefactoryError as error:
        raise AssertionError(f"seed {seed} in {network.name} does not run") from error
    pairs = [paired(a, b, POINT) for a, b in zip(*answers, strict=True)]
    verdict = together([share_test(pairs, _MARGINS[0]), moves_test(pairs, _MARGINS[1])])
    changed = sum(pair.changed for pair in pairs)
    found = None
    if changed or always:
        shown = [pictures[at] for at in telling(pairs)]
        found = bisect(fault.reference, fault.other, shown, Looking(POINT, network.normals))
    return Tried(seed, network.name, verdict, changed, fault, found)
