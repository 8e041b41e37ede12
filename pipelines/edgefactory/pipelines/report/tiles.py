"""The large figures at the top of a page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One of them."""

    name: str
    value: str
    note: str
