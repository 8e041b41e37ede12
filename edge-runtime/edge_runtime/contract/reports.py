"""What a site tells the factory: who it is, and what it runs; signed by its device key."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from edge_runtime.contract.events import SiteId
from edge_runtime.contract.release import Count, Name, Provider, Sha256

MAX_REASON = 500  # characters
DeviceKey = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Device(Struct, frozen=True, forbid_unknown_fields=True):
    """A site as it was enrolled: `device.json`, which the factory keeps. `key` is the ed25519
    public key, raw, in hex; its reports are signed by the private one, which never leaves it."""

    schema: Literal["device/1"]
    site: SiteId
    region: str
    hardware: tuple[str, ...]
    key: DeviceKey


class Report(Struct, frozen=True, forbid_unknown_fields=True):
    """What a site runs as one model, and why.

    `counter` rises with every report of the site, so that an old one is recognised. `edition` and
    `offered` are of the rollout that the site saw last in this update: 0 and None when it got none.
    `latency_ms` is the site's own timing of what is active, from its self-test. `provider` of ONNX
    Runtime runs it; UNSET where none does, so that reports of such boxes keep their bytes.
    """

    schema: Literal["report/1"]
    site: SiteId
    counter: Count
    time: Count
    model: Name
    hardware: tuple[str, ...]
    edition: Count
    offered: Sha256 | None
    active: Sha256 | None
    previous: Sha256 | None
    metadata: dict[str, int]
    phase: Literal["idle", "trial", "dwell", "active", "failed"]
    health: Literal["ok", "failing", "none"]
    reason: Annotated[str, Meta(max_length=MAX_REASON)] = ""
    latency_ms: float | None = None
    provider: Provider | UnsetType = UNSET


class ReportSignature(Struct, frozen=True, forbid_unknown_fields=True):
    """A signature over a report; `keyid` is the device's public key in hex."""

    keyid: DeviceKey
    sig: bytes


class SignedReport(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A report in its envelope (DSSE 1.0): `payload` are the report's very bytes."""

    payload_type: Literal["application/vnd.edgefactory.report+json"]
    payload: bytes
    signatures: Annotated[tuple[ReportSignature, ...], Meta(min_length=1, max_length=1)]
