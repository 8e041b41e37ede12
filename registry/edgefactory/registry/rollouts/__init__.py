"""Which sites run which release: promoted wave by wave, paused, taken back.

`promote`, `pause`, `resume`, `rollback` and `raise_floor` sign the next rollout of a model;
`status` says how each stands. Reading order: `rings` (who goes first), `succession` (which
rollout may follow which), `hearing` (which reports are believed), `evidence` (whether they are
enough), `control`.
"""

from edgefactory.registry.rollouts.control import (
    Goal,
    Place,
    Step,
    Witnesses,
    pause,
    promote,
    raise_floor,
    resume,
    rollback,
)
from edgefactory.registry.rollouts.documents import parse_name
from edgefactory.registry.rollouts.evidence import Standing
from edgefactory.registry.rollouts.hearing import Refused
from edgefactory.registry.rollouts.rings import EXAMPLE, Needs, Rings, Wave, read_rings
from edgefactory.registry.rollouts.status import Status, status
from edgefactory.registry.rollouts.succession import Where

__all__ = [
    "EXAMPLE",
    "Goal",
    "Needs",
    "Place",
    "Refused",
    "Rings",
    "Standing",
    "Status",
    "Step",
    "Wave",
    "Where",
    "Witnesses",
    "parse_name",
    "pause",
    "promote",
    "raise_floor",
    "read_rings",
    "resume",
    "rollback",
    "status",
]
