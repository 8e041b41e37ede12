"""What a branch says for its own use: events, and what a run came to."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from edge_runtime.contract.release import Count, Provider, Sha256
from edge_runtime.contract.watch import Watch


class LineCrossed(Struct, frozen=True, forbid_unknown_fields=True, tag="line_crossed"):
    """A tracked object crossed the counting line. `seconds` is stream time, `frame` its index.

    `time`, in seconds since 1970, only a daemon knows: its streams show what is now.
    """

    stream: str
    frame: Count
    seconds: float
    track: Count
    direction: Literal["in", "out"]
    release: Sha256
    time: float | UnsetType = UNSET


class VoucherRead(Struct, frozen=True, forbid_unknown_fields=True, tag="voucher_read"):
    """A row of digits was read. `confidence` is the least probable digit's probability."""

    stream: str
    voucher: str
    digits: str
    confidence: float
    release: Sha256


Event = LineCrossed | VoucherRead


class RunReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What one run of a stream came to: `run.json`. Times are milliseconds of wall time.

    `infer_ms` is the engine call, `frame_ms` a picture's whole way without decoding. `over_time`
    holds (stream seconds, crossings so far in both directions), about once a second. `watch` is
    what the camera and the model's figures looked like, `provider` what ran the variant inside ONNX
    Runtime; runs of before, and of the engine itself, have none.
    """

    schema: Literal["run/1"]
    site: str
    release_name: str
    release_version: str
    release: Sha256
    variant: str
    engine: str
    engine_version: str
    self_test: Literal["passed"]
    stream: str
    frames: Count
    first_frame: Count
    infer_ms_p50: float
    infer_ms_p99: float
    frame_ms_p50: float
    counts: dict[str, int]
    over_time: tuple[tuple[float, int], ...]
    watch: Watch | UnsetType = UNSET
    provider: Provider | UnsetType = UNSET


SiteId = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
