"""Which version and sequence a release gets when params.yaml names none.

The newest published number is kept as long as the release stays the same to the byte; anything
else is one further. So a rerun publishes nothing new, and a change never reuses a number.
"""

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.contract import Release, read


@dataclass(frozen=True, order=True)
class Number:
    """`sequence` orders the releases of a model; `version` is what people call one."""

    sequence: int
    version: str

    def following(self) -> "Number":
        """The next number: sequence and patch version one up."""
        major, minor, patch = self.version.split(".")
        return Number(self.sequence + 1, f"{major}.{minor}.{int(patch) + 1}")


FIRST = Number(1, "0.1.0")


def newest(published: Path, model: str) -> Number | None:
    """The highest number under which `model` is published, None when it is not.

    Raises ContractError when a published release is damaged.
    """
    files = (published / "targets" / "releases" / model).glob("*/*.release.json")
    releases = [read(path, Release) for path in files]
    return max((Number(release.sequence, release.version) for release in releases), default=None)
