"""What a bill of materials says of licences: the one place that card and gate have them from."""

from dataclasses import dataclass

from edgefactory.registry.bom.document import Bom, Component, Kind, LicenceChoice
from edgefactory.registry.files import parse

SAID: dict[Kind, str] = {
    "machine-learning-model": "weights",
    "data": "data",
    "library": "package",
}


@dataclass(frozen=True)
class Licensed:
    """Something that the model is made of or by, its licence if one is stated, and its source."""

    what: str
    kind: str
    licence: str
    source: str


def licensed(bom: bytes) -> tuple[Licensed, ...]:
    """Data and weights that others made, then packages; what is the release's own is left out."""
    document = parse(bom, Bom, "the bill of materials")
    return tuple(_said(part) for part in document.components if not _own(part))


def _own(part: Component) -> bool:
    """The release's variants, its checkpoint and its snapshot: nobody else's licence is on them."""
    return part.bom_ref.startswith("variant/") or part.bom_ref in {"checkpoint", "snapshot"}


def _said(part: Component) -> Licensed:
    what = f"{part.name} {part.version}" if part.version else part.name
    known = [_named(choice) for choice in part.licenses]
    source = part.description or part.purl
    return Licensed(what, SAID[part.type], ", ".join(known), source)


def _named(choice: LicenceChoice) -> str:
    one = choice.license
    return choice.expression if one is None else one.id or one.name
