"""Labels with a stated error: which of a machine's labels may be accepted unseen.

`bounded(pool, settings)` takes a snapshot whose every item carries the machine's labels (`origin`
"teacher:..."), the reviewed items beside what people said. It gives the snapshot back: the labels
that may be accepted name a bound, the others are queued. `calibration_order` says which pictures
people are to review for it.
"""

from edgefactory.datasets.bounds.accepting import Bounded, bounded
from edgefactory.datasets.bounds.judging import is_machines, wrong_labels
from edgefactory.datasets.bounds.ordering import calibration_order
from edgefactory.datasets.bounds.report import GroupReport
from edgefactory.datasets.bounds.settings import BoundSettings

__all__ = [
    "BoundSettings",
    "Bounded",
    "GroupReport",
    "bounded",
    "calibration_order",
    "is_machines",
    "wrong_labels",
]
