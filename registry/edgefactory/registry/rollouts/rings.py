"""Who goes first, and what it takes to go on: `rings.yaml`, parsed strictly."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from edge_runtime.contract.events import SiteId
from edge_runtime.contract.rings import BUCKETS
from edgefactory.datasets.errors import InputError
from edgefactory.registry.files import read_bounded
from edgefactory.registry.strict_yaml import load_yaml

MAX_RINGS_BYTES = 4 << 20
EXAMPLE = Path(__file__).with_name("rings.yaml")

NOWHERE, LAB, PILOT = -2, -1, 0  # how far a rollout reaches; above them a bound of BUCKETS

Part = Annotated[float, Meta(ge=0.0, le=1.0)]
Ring = Literal["lab", "pilot"] | Annotated[float, Meta(gt=0.0, le=100.0)]


class Needs(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What must be heard from the wave before, until this one may begin.

    `hours`: its least age. `sites`: how many must be heard, and `heard` as a share of those that
    take part. `success`: what the lower end of the interval of the success share must reach.
    `errors`: the largest share of failures among those heard.
    """

    hours: Annotated[float, Meta(ge=0.0)]
    sites: Annotated[int, Meta(ge=1)]
    heard: Part
    success: Part
    errors: Part


class Wave(Struct, frozen=True, forbid_unknown_fields=True):
    """A ring by name or percent, and what it takes to get there; the first takes nothing."""

    ring: Ring
    needs: Needs | None = None


class Rings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The sites that go first, and the waves. Reports older than `fresh_hours` do not count."""

    schema: Literal["rings/1"]
    lab: tuple[SiteId, ...]
    pilot: tuple[SiteId, ...]
    confidence: Annotated[float, Meta(gt=0.5, lt=1.0)] = 0.95
    fresh_hours: Annotated[float, Meta(gt=0.0)] = 24.0
    waves: Annotated[tuple[Wave, ...], Meta(min_length=1)]

    def entered(self, reach: int) -> int:
        """The index of the last wave that `reach` has come to; -1 before the first."""
        return sum(reach_of(wave.ring) <= reach for wave in self.waves) - 1

    def towards(self, reach: int) -> int:
        """The index of the first wave that reaches as far as `reach`. Raises InputError."""
        for index, wave in enumerate(self.waves):
            if reach_of(wave.ring) >= reach:
                return index
        last = name_of(self.waves[-1].ring)
        raise InputError(f"the last wave of the rings is {last}; add one that goes further")

    def after(self, reach: int) -> Ring | None:
        """The ring of the first wave that reaches further than `reach`, None after the last."""
        return next((wave.ring for wave in self.waves if reach_of(wave.ring) > reach), None)


def reach_of(ring: Ring) -> int:
    """How far `ring` reaches, so that rings can be compared: LAB, PILOT, or a bound."""
    if isinstance(ring, str):
        return LAB if ring == "lab" else PILOT
    return max(1, round(ring / 100 * BUCKETS))


def name_of(ring: Ring) -> str:
    """What people call `ring`: `lab`, `pilot`, `10%`."""
    return ring if isinstance(ring, str) else f"{ring:g}%"


def parse_ring(text: str) -> Ring:
    """The ring that a person means by `text`. Raises InputError."""
    try:
        plain = text if text in {"lab", "pilot"} else float(text.removesuffix("%"))
        ring: Ring = msgspec.convert(plain, Ring)
    except ValueError:  # msgspec's ValidationError is one
        raise InputError(
            f"ring {text!r} is not lab, pilot, next, or a percentage above 0 up to 100"
        ) from None
    return ring


def read_rings(path: Path) -> Rings:
    """The rings in the file at `path`. Raises MissingError, or InputError for what it must not be:
    unknown keys, waves that do not widen or have no needs or no sites, a site in both lists."""
    try:
        rings = msgspec.convert(load_yaml(read_bounded(path, MAX_RINGS_BYTES)), Rings)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid: {' '.join(str(error).split())}") from error
    reaches = [reach_of(wave.ring) for wave in rings.waves]
    for before, after, wave in zip(reaches, reaches[1:], rings.waves[1:], strict=False):
        if after <= before:
            raise InputError(f"{path}: wave {name_of(wave.ring)} is no wider than the one before")
        if wave.needs is None:
            raise InputError(
                f"{path}: wave {name_of(wave.ring)} has no `needs`; only the first may have none"
            )
    for name, sites in (("lab", rings.lab), ("pilot", rings.pilot)):
        if not sites and any(wave.ring == name for wave in rings.waves):
            raise InputError(f"{path}: there is a wave {name}, but `{name}` names no site")
    both = sorted(set(rings.lab) & set(rings.pilot))
    if both:
        raise InputError(f"{path}: {both[0]} is in `lab` and in `pilot`; keep it in one")
    return rings
