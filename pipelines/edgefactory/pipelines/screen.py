"""What a person sees while a command works: headings, one bar, notes. All of it on stderr.

On a terminal rich draws a live bar; elsewhere the same progress becomes plain lines, at most
one every few seconds. Work that takes its time says how much of it is about left.
`Screen.progress` is the `Callable[[int, int, str], None]` (done, total, what) that every part of
the factory takes.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

ProgressCallback = Callable[[int, int, str], None]

PLAIN_SECONDS = 5.0  # between two plain progress lines
PACE_SECONDS = 10.0  # of work, before what is left of it is estimated
WIDTH = 40  # characters of what a live bar says


class Screen:
    """Writes to `stream`: live when that is a terminal, else in plain lines."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic):
        self.stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._console: Console | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = clock()
        self._said = ""
        self._pace: _Pace | None = None

    @property
    def live(self) -> bool:
        """Whether a person's terminal is at the other end."""
        return self.stream.isatty()

    @property
    def console(self) -> "Console":
        """The rich console on the stream, made at first use."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self.stream, highlight=False, soft_wrap=not self.live)
        return self._console

    def heading(self, text: str) -> None:
        """Open a new stage."""
        self.clear()
        self._write(text, "bold")

    def note(self, text: str) -> None:
        """One line that the user should know."""
        self.clear()
        self._write(text, "dim")

    def success(self, text: str) -> None:
        """The line that closes a stage which went well."""
        self.clear()
        self._write(text, "green")

    def failure(self, text: str) -> None:
        """The one line that says what went wrong and what to do next."""
        self.clear()
        self._write(text, "bold red")

    def progress(self, done: int, total: int, what: str) -> None:
        """`done` of `total` units of `what`; a `total` of 0 means that it is not known."""
        now = self._clock()
        if self._pace is None or self._pace.total != total or done < self._pace.done:
            self._pace = _Pace(total, done, done, now)
        self._pace.done = done
        left = self._pace.left(now)
        if self.live:
            self._draw(done, total, what, left)
            return
        if now - self._last < PLAIN_SECONDS:
            return
        self._last = now
        line = f"       {what}: {done}/{total}{left}" if total else f"       {what}"
        if line != self._said:
            self._said = line
            self._write(line, "")

    def clear(self) -> None:
        """Take the bar off the terminal; the next progress call draws a new one."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._task = None, None
        self._last = self._clock()

    def _draw(self, done: int, total: int, what: str, left: str) -> None:
        from rich.markup import escape

        text, count = escape(what[:WIDTH]), f"{done}/{total}{left}" if total else ""
        if self._bar is None or self._task is None:
            self._bar = _bar(self.console)
            self._task = self._bar.add_task(text, total=total or None, count=count)
            self._bar.start()
        self._bar.update(
            self._task, completed=done, total=total or None, description=text, count=count
        )

    def _write(self, text: str, style: str) -> None:
        if self.live:
            self.console.print(text, style=style or None, markup=False)
        else:
            self.stream.write(text + "\n")
            self.stream.flush()


@dataclass
class _Pace:
    """How fast some work goes: where it stood at first, and when."""

    total: int
    first: int
    done: int
    since: float  # of the clock, seconds

    def left(self, now: float) -> str:
        """ ", about 3 min left", or nothing while that cannot be said."""
        elapsed, gained = now - self.since, self.done - self.first
        if elapsed < PACE_SECONDS or gained <= 0 or self.done >= self.total:
            return ""
        return f", about {roughly(elapsed / gained * (self.total - self.done))} left"


def _bar(console: "Console") -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("       {task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        refresh_per_second=8,
    )


def duration(seconds: float) -> str:
    """`seconds` as people say it: "0.4 s", "12 s", "3 min 05 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def roughly(seconds: float) -> str:
    """`seconds` as an estimate is said: "10 s", "3 min", "2.5 h"."""
    if seconds < 55:
        return f"{max(10, 10 * round(seconds / 10))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """`count` bytes as people say it: "512 B", "225 kB", "12.9 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return (
                f"{count / scale:.1f} {unit}"
                if count < 100 * scale
                else f"{count / scale:.0f} {unit}"
            )
    return f"{count:.0f} B"
