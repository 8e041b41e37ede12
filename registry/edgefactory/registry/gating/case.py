"""All that the gate knows about a release when it judges. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edge_runtime.contract import Evidence, Release
from edgefactory.datasets.outcomes import Outcomes
from edgefactory.registry.bom import Licensed
from edgefactory.registry.gating.approval import Approval


@dataclass(frozen=True)
class Rival:
    """The release in use, and what it decided on the candidate's test pictures; without
    `outcomes`, `why` says why."""

    release: Release
    digest: str
    outcomes: Outcomes | None
    why: str = ""


@dataclass(frozen=True)
class Replayed:
    """The figures that a command printed; without them, `why` says why."""

    figures: Mapping[str, float] | None
    why: str = ""


@dataclass(frozen=True)
class Case:
    """A release whose digest is `digest`, and all about it.

    `evidence`, `outcomes` and `licences` are empty where the release's bytes are not whole, or do
    not hold them. `rival` is None when none was given. `replays` are by the rule's name.
    """

    release: Release
    digest: str
    now: datetime
    evidence: tuple[Evidence, ...] = ()
    outcomes: Outcomes | None = None
    licences: tuple[Licensed, ...] = ()
    rival: Rival | None = None
    approvals: tuple[Approval, ...] = ()
    replays: Mapping[str, Replayed] = field(default_factory=dict)
