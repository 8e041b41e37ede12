"""Documents, metadata, pictures and patches, damaged in every way, through the runtime's own code.

Each is taken, or refused by one line of `EdgeRuntimeError`; anything else is a crash, and so is an
end of the process. A case that takes longer than HANG_S is a hang. What there is to try stands in
`tests/edge_runtime/fuzz_targets.py`. A run that was stopped goes on where it was, until the code
changes; the long form is a million cases.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from fuzz_child import CASE
from measured import Bound, Measured

SAYS = "a million damaged documents, pictures and patches: each taken, or refused in a line"

HANG_S: Final = 20.0
START_S: Final = 120.0  # to make the documents of a target
_ROW: Final = 10_000  # cases of one process
_MILLION: Final = 1_000_000
_SHORT: Final = 20_000
_ROOT: Final = Path(__file__).parent.parent


@dataclass(frozen=True)
class End:
    """How a process ended, and the case that it was at (-1: none yet)."""

    how: Literal["done", "crash", "hang"]
    case: int


def run(full: bool, /) -> Measured:
    """A million cases, or twenty thousand, shared out over the targets."""
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))
    from tests.edge_runtime.fuzz_targets import SHARES

    from edgefactory.datasets import default_cache

    cases = _MILLION if full else _SHORT
    folder = default_cache() / "benchmarks" / "fuzz" / f"{_code()}-{cases}"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "progress.json"
    done: dict[str, int] = json.loads(kept.read_bytes()) if kept.is_file() else {}
    for name, share in SHARES.items():
        wanted = share * cases // _MILLION
        while (first := done.get(name, 0)) < wanted:
            end = min(wanted, first + _ROW)
            ended = _try(folder, name, first, end)
            done[name] = end if ended.how == "done" else max(first, ended.case) + 1
            kept.write_text(json.dumps(done), encoding="utf-8")
            sys.stderr.write(f"{name}: {done[name]} of {wanted}, {len(_problems(folder))} found\n")
    found = _problems(folder)
    hangs = sum(line["problem"] == "hang" for line in found)
    counts = {"cases": sum(done.values()), "crashes": len(found) - hangs, "hangs": hangs}
    bounds = {name: Bound("at_most", 0) for name in ("crashes", "hangs")}
    bounds["cases"] = Bound("at_least", cases)
    return Measured(counts, bounds=bounds, peers={"cases": done, "found": found[:20]})


def watched(command: Sequence[str | Path], case: Path, hang_s: float = HANG_S) -> End:
    """Run `command`, which keeps the number of its case in the file `case`, to its end.

    It is killed when a case takes longer than `hang_s` seconds.
    """
    case.write_bytes(CASE.pack(-1))
    child = subprocess.Popen(command)
    number, since = -1, time.monotonic()
    while True:
        try:
            status = child.wait(min(1.0, hang_s / 2))
        except subprocess.TimeoutExpired:
            status = None
        (now,) = CASE.unpack(case.read_bytes())
        if status is not None:
            return End("crash" if status else "done", now)
        if now != number:
            number, since = now, time.monotonic()
        limit = hang_s if number >= 0 else max(hang_s, START_S)
        if time.monotonic() - since > limit:
            child.kill()
            child.wait()
            return End("hang", number)


def _try(folder: Path, name: str, first: int, end: int) -> End:
    from tests.edge_runtime.fuzzing import write_problem

    child = Path(__file__).with_name("fuzz_child.py")
    command: list[str | Path] = [sys.executable, child, folder, name, str(first), str(end)]
    ended = watched(command, folder / "case")
    if ended.case < 0:
        raise RuntimeError(f"the target {name} cannot be made: {ended.how}")
    if ended.how != "done":
        text = "hang" if ended.how == "hang" else "the process ended"
        write_problem(folder / "problems.jsonl", name, ended.case, text)
    return ended


def _problems(folder: Path) -> list[dict[str, str]]:
    file = folder / "problems.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [json.loads(line) for line in lines]


def _code() -> str:
    """A digest of what is tried and what tries it."""
    found = hashlib.sha256()
    for folder in ("edge-runtime", "tests/edge_runtime"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
