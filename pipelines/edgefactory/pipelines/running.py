"""How a stage runs: its heading, its log, its seconds, and what is left behind when it fails."""

import contextlib
import dataclasses
import json
import os
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from edgefactory.pipelines import quiet
from edgefactory.pipelines.failures import describe
from edgefactory.pipelines.screen import Screen, duration
from edgefactory.pipelines.stages import STAGES, position
from edgefactory.pipelines.workspace import Workspace, open_workspace, write_atomically

KILLED = "ended from outside (out of memory?); run the same command again to continue"

RUN_VARIABLE = "EDGEFACTORY_RUN"  # set by the demo: the run that a stage belongs to


@dataclasses.dataclass(frozen=True)
class StageFailure:
    """`failed.json`: the stage that failed last; `shown`: the user has seen its line."""

    stage: str
    exit_code: int
    line: str
    shown: bool


def read_failure(workspace: Workspace) -> StageFailure | None:
    """The note that a failed stage left in the workspace, None where there is none."""
    try:
        text = (workspace.state / "failed.json").read_text(encoding="utf-8")
        return StageFailure(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


class StageRun:
    """A stage at work in a workspace; a context manager around the work itself.

    Its own lines go to stderr; what libraries print goes to the stage's log unless `verbose`.
    On success it writes `seconds/<stage>.json`, on failure `failed.json`; it swallows nothing.
    """

    def __init__(self, name: str, root: Path, verbose: bool):
        self.name = name
        self.workspace: Workspace = open_workspace(root)
        self._verbose = verbose
        self.run_id = os.environ.get(RUN_VARIABLE)
        self._open = contextlib.ExitStack()
        self.screen = Screen()

    def __enter__(self) -> Self:
        # Python leaves only what was entered; an interrupt in here needs its note as well.
        with contextlib.ExitStack() as begun:
            begun.push(self)
            self._started, self._cpu = time.monotonic(), _cpu_seconds()
            # A stage that is killed leaves this behind; success removes it, failure replaces it.
            self._note(StageFailure(self.name, 1, KILLED, shown=False))
            if not self._verbose:
                stream = self._open.enter_context(quiet.output_to(self.workspace.log(self.name)))
                self.screen = Screen(stream)
            if self.run_id:
                stage = STAGES[self.name]
                self.screen.heading(f"{position(self.name):>5}  {stage.name:<9} {stage.does}")
            begun.pop_all()
        return self

    def succeed(self, line: str) -> None:
        """Close the stage with its result line."""
        seconds = time.monotonic() - self._started
        _write_json(
            self.workspace.state / "seconds" / f"{self.name}.json",
            {
                "stage": self.name,
                "seconds": round(seconds, 3),
                "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
                "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "run": self.run_id,
            },
        )
        self._failed.unlink(missing_ok=True)
        if self.run_id:
            self.screen.success(f"       {line}  ({duration(seconds)})")
        self.screen.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.screen.clear()
        if error is not None:
            failure = describe(error)
            # The failure itself must reach the user even where nothing can be written.
            with contextlib.suppress(OSError):
                if not self._verbose:
                    with self.workspace.log(self.name).open("a", encoding="utf-8") as log:
                        traceback.print_exception(error, file=log)
                self._note(StageFailure(self.name, failure.exit_code, failure.line, shown=True))
        with contextlib.suppress(OSError):
            self._open.close()

    def _note(self, failure: StageFailure) -> None:
        _write_json(self._failed, dataclasses.asdict(failure))

    @property
    def _failed(self) -> Path:
        return self.workspace.state / "failed.json"


def _write_json(path: Path, content: dict[str, object]) -> None:
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def _cpu_seconds() -> float:
    """User and system seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
