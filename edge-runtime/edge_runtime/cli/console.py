"""What a command says: its result on stdout, progress and errors on stderr."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

EVERY_S = 2.0  # plain progress lines, where there is no terminal


@dataclass
class Console:
    """`json`: the result is one JSON object, for machines."""

    json: bool
    _last: float = field(default=0.0, init=False)
    _open_line: bool = field(default=False, init=False)

    def result(self, value: object, lines: Sequence[str]) -> None:
        """Print `value` as JSON, or the `lines` that say the same to a person."""
        self._end_line()
        if self.json:
            import msgspec

            sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
        else:
            sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def progress(self, done: int, total: int, what: str) -> None:
        """How far the work is: one moving line on a terminal, now and then a line elsewhere."""
        share = f"{done}/{total} " if total else f"{done} " if done else ""
        now = time.monotonic()
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{share}{what}")
            self._open_line = True
        elif now - self._last >= EVERY_S:
            sys.stderr.write(f"{share}{what}\n")
            self._last = now
        sys.stderr.flush()

    def error(self, text: str, code: int, retry_after: float = 0.0) -> None:
        """One line on stderr; with `json` also an object on stdout."""
        self._end_line()
        line = " ".join(text.split())
        if self.json:
            waiting = {"retry_after": retry_after} if retry_after else {}
            self.result({"error": line, "exit_code": code, **waiting}, ())
        sys.stderr.write(f"edge-runtime: error: {line}\n")

    def _end_line(self) -> None:
        if self._open_line:
            sys.stderr.write("\r\x1b[K")
            self._open_line = False
