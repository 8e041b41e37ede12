"""How a site tells what it watches: numbered, and signed by its device key."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract.events import SiteId
from edge_runtime.contract.release import Count
from edge_runtime.contract.reports import ReportSignature
from edge_runtime.contract.watch import MachineHealth, Watch

Epoch = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]


class Dropped(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of each class the site's spool dropped unsent since its epoch began."""

    alarm: Count = 0
    report: Count = 0
    detail: Count = 0


class Telemetry(Struct, frozen=True, forbid_unknown_fields=True):
    """What a site saw, as of `time`. `epoch` and `sequence` number all telemetry of a site: the
    sequence rises within an epoch, a new epoch begins when the site lost its spool. A report may
    come twice, with the same numbers."""

    schema: Literal["telemetry/1"]
    site: SiteId
    epoch: Epoch
    sequence: Annotated[int, Meta(ge=1)]
    time: Count
    watch: Watch
    machine: MachineHealth
    dropped: Dropped
    note: Annotated[str, Meta(max_length=500)] = ""


class SignedTelemetry(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Telemetry in its envelope (DSSE 1.0): `payload` are its very bytes."""

    payload_type: Literal["application/vnd.edgefactory.telemetry+json"]
    payload: bytes
    signatures: Annotated[tuple[ReportSignature, ...], Meta(min_length=1, max_length=1)]
