"""What a site watches of its camera, its models and its machine."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from edge_runtime.contract.reference import Count
from edge_runtime.contract.release import Name, Sha256

Fault = Literal["no signal", "frozen", "covered", "moved", "blurred", "overexposed", "underexposed"]
Verdict = Literal["ok", "drifting", "too few"]
Route = Literal["none", "fix camera", "relabel"]


class CameraWatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong with the camera, since which second of the stream, and what was before.

    `pictures` were looked at; `seen` is in how many of them each fault held.
    """

    fault: Fault | None
    since: float | None
    pictures: Count
    seen: dict[Fault, Count] = {}


class SignalWatch(Struct, frozen=True, forbid_unknown_fields=True):
    """A figure's verdict, and of the last whole window its PSI, bias removed, and the limit that
    it must exceed to drift; None where no window is whole or too little is independent. Of all
    figures `together`, `psi` is the squared distance of `contract.together`."""

    verdict: Verdict
    psi: float | None = None
    limit: float | None = None


class ModelWatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model was fed and said: `pictures` were looked at, of `calls` in all, of which
    `failed` failed. `signals` is empty where the release has no reference."""

    release: Sha256
    variant: Name
    calls: Count
    failed: Count
    pictures: Count
    signals: dict[str, SignalWatch] = {}


class Watch(Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen of the camera (None: it shows no pictures here) and of each model, and what
    to do about it.

    Where a daemon runs streams, `cameras` has each by the stream's name, and `camera` is the first
    of them that is at fault, else the first."""

    route: Route
    camera: CameraWatch | None
    models: dict[Name, ModelWatch] = {}
    cameras: dict[Name, CameraWatch] | UnsetType = UNSET


class MachineHealth(Struct, frozen=True, forbid_unknown_fields=True):
    """The box: shares of 1 since the last look, megabytes, degrees Celsius; None where the system
    does not tell. `throttled` counts the CPU's thermal throttling since the last look."""

    cpu: float | None
    memory_free_mb: float | None
    process_mb: float | None
    celsius: float | None
    throttled: Count | None
    disk_free_mb: float | None
