"""What models decided on pictures, reduced to what figures and paired comparisons need.

`Outcomes` is the document; `compare` says by how much one model is worse than another at most.
Numpy and SciPy only, so that whoever reads the document needs neither torch nor the pictures.
"""

from edgefactory.datasets.outcomes.comparing import (
    By,
    Part,
    compare,
    figure,
    parts,
    time_of_day,
)
from edgefactory.datasets.outcomes.differing import Lower, accuracy_lower, statistic_lower
from edgefactory.datasets.outcomes.document import (
    Answered,
    Boxes,
    Outcomes,
    Shown,
    encode_outcomes,
    parse_outcomes,
    read_outcomes,
)
from edgefactory.datasets.outcomes.matched import IOUS, Matched, ratio
from edgefactory.datasets.outcomes.precision import (
    average_precision,
    mean_precision,
    mean_recall,
    precisions,
)

__all__ = [
    "IOUS",
    "Answered",
    "Boxes",
    "By",
    "Lower",
    "Matched",
    "Outcomes",
    "Part",
    "Shown",
    "accuracy_lower",
    "average_precision",
    "compare",
    "encode_outcomes",
    "figure",
    "mean_precision",
    "mean_recall",
    "parse_outcomes",
    "parts",
    "precisions",
    "ratio",
    "read_outcomes",
    "statistic_lower",
    "time_of_day",
]
