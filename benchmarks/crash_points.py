"""Updates cut off at every operation, in five ways of losing what was not synced.

Six whole updates (first install, by whole file, by patch, a block, a floor, a way back) are laid
out as a power cut after each of their changes would leave them; `tests/edge_runtime/crashing.py`
says what a site must still be able to do. `points` are cuts tried, `bricked` those after which
nothing proven can run, `lost` those after which an update does not complete or an older repository
is believed. `failing` counts updates whose disk failed at an operation instead, `harmed` those that
did not bear it. The short form takes every fifth operation.
"""

import errno
import sys
import tempfile
from pathlib import Path

from measured import Bound, Measured

SAYS = "updates cut off, or short of disk, at each of their operations: what is lost, what runs"


def run(full: bool, /) -> Measured:
    """All scenarios, at every operation or at every fifth."""
    root = str(Path(__file__).parent.parent)
    if root not in sys.path:
        sys.path.insert(0, root)  # the model of a disk and the scenarios are those of the tests
    from tests.edge_runtime.crashing import record, scenarios, survives, survives_errors
    from tests.edge_runtime.disks import LOSSES

    step = 1 if full else 5
    counts = dict.fromkeys(("points", "lost", "bricked", "failing", "harmed"), 0)
    operations: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for scenario in scenarios(Path(folder)):
            recorded = record(scenario)
            operations[scenario.name] = len(recorded.log)
            for point in range(0, len(recorded.log) + 1, step):
                for loss in LOSSES:
                    problem = survives(recorded, point, loss)
                    counts["points"] += 1
                    if problem:
                        counts["bricked" if problem.startswith("bricked") else "lost"] += 1
                        _say(f"{scenario.name} at {point}, {loss}: {problem}")
                for number in (errno.ENOSPC, errno.EIO):
                    lasting = number == errno.ENOSPC
                    problem = survives_errors(scenario, point + 1, number, lasting)
                    counts["failing"] += 1
                    counts["harmed"] += bool(problem)
                    if problem:
                        _say(f"{scenario.name}, {errno.errorcode[number]} at {point}: {problem}")
            _say(f"{scenario.name}: {len(recorded.log)} operations; {counts}")
    bounds = {name: Bound("at_most", 0) for name in ("lost", "bricked", "harmed")}
    if full:
        bounds["points"] = Bound("at_least", 1000)
    return Measured(dict(counts), bounds=bounds, peers={"operations": operations})


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
