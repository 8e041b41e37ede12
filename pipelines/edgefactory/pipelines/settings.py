"""The sections of params.yaml that belong to the line itself."""

from typing import Annotated

from msgspec import Meta, Struct

Point = Annotated[int, Meta(ge=0, le=16384)]


class GateSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `gate`: the policy file, from the workspace on."""

    policy: str = "policy.yaml"


class BranchSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `branch`: the site that is played, and what it counts.

    `line` is x0, y0, x1, y1 in pixels of the video, directed; None: the truth file's line, else
    one down the middle of the picture. `port` 0 takes any free one. `threads` a session.
    """

    site: str = "branch-0001"
    region: str | None = None
    line: tuple[Point, Point, Point, Point] | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    threads: Annotated[int, Meta(ge=1, le=256)] = 1
