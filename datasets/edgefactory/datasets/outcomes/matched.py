"""Which detections were right, of one class over all pictures: all that AP needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

IOUS: Final = np.linspace(0.5, 0.95, 10, dtype=np.float64)


@dataclass(frozen=True)
class Matched:
    """One class over all pictures. D detections by falling score; T IoU thresholds; P pictures.

    `rank` is a detection's place among those of its picture; `hits` took a real box, `counts` is
    False where it counts neither way; `wanted` are the boxes to be found in each picture.
    """

    scores: Floats  # [D]
    picture: Integers  # [D]
    rank: Integers  # [D]
    hits: Booleans  # [T,D]
    counts: Booleans  # [T,D]
    wanted: Integers  # [P]

    def only(self, pictures: Integers) -> Matched:
        """The same in these pictures alone, which become 0, 1, ..."""
        place = np.full(len(self.wanted), -1)
        place[pictures] = np.arange(len(pictures))
        kept = place[self.picture] >= 0
        return Matched(
            self.scores[kept],
            place[self.picture[kept]],
            self.rank[kept],
            self.hits[:, kept],
            self.counts[:, kept],
            self.wanted[pictures],
        )

    def at(self, threshold: int) -> tuple[Booleans, Floats, Integers]:
        """Hits, scores and pictures of what counts at the IoU threshold of that number."""
        kept = self.counts[threshold]
        return self.hits[threshold, kept], self.scores[kept], self.picture[kept]


def ratio(part: Floats, whole: npt.NDArray[Any], otherwise: float) -> Floats:
    """part / whole, and `otherwise` where whole is 0."""
    made: Floats = np.full(part.shape, otherwise)
    np.divide(part, whole, out=made, where=whole > 0)
    return made
