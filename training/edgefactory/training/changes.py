"""How a checkpoint's network differs from the one that its recipe builds."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0.0)]


class Changes(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The section `changes` of `lineage.json`; absent where the recipe says it all.

    `origin_sha256`: the weights that were changed and taught the changed network. `macs_share`: the
    multiply-accumulates that pruning has left, against the recipe's network; below 1 the widths of
    the layers are those of the weights' file. `activation`: what stands in the place of Hardswish
    and SiLU. `ranges`: of layers that have learned to be quantized, by name, the largest absolute
    input that INT8 is to hold.
    """

    origin_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    macs_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    activation: Literal["relu"] | None = None
    ranges: dict[str, Positive] = {}
