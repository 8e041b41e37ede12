"""How long a model takes here: a micro-benchmark that notices when the box is busy.

`measure` runs each model in a process of its own; `serving` offers it to another machine.
"""

from edge_runtime.bench.measuring import (
    Outcome,
    Plan,
    Subject,
    measure,
    measure_one,
    subject_at,
)

__all__ = ["Outcome", "Plan", "Subject", "measure", "measure_one", "subject_at"]
