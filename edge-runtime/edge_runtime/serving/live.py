"""The picture that a model saw last, for the status page."""

from dataclasses import dataclass

from edge_runtime.contract import Decisions

MOST_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Seen:
    """A picture file (JPEG or PNG), its size in pixels, and what was decided about it.

    Boxes are xyxy in pixels of that size, at which the file need not be. `time` is seconds since
    1970; `stream` is which one showed it, empty where somebody posted it.
    """

    data: bytes
    kind: str
    width: int
    height: int
    decisions: Decisions
    time: float
    stream: str = ""


class Live:
    """The last picture of each model; one at a time, and none of over MOST_BYTES."""

    def __init__(self, kept: bool) -> None:
        self.kept = kept
        self._seen: dict[str, Seen] = {}

    def put(self, model: str, seen: Seen) -> None:
        """Keep `seen`, instead of what was before. Any thread."""
        if self.kept and len(seen.data) <= MOST_BYTES:
            self._seen[model] = seen

    def get(self, model: str) -> Seen | None:
        """What `model` saw last."""
        return self._seen.get(model)
