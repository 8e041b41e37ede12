"""Lists the benchmarks, or runs one: `python benchmarks/run.py [NAME]`, long form with FULL=1.

The last line on stdout is one JSON object; progress goes to stderr. Exit codes are those of
`edgefactory`; 4 when a bound is not reached.
"""

import ast
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Protocol, cast

from measured import Measured

BROKEN = 4
HERE = Path(__file__).parent


class Benchmark(Protocol):
    """A module of this folder that has a line to say of itself, SAYS, and measures."""

    def run(self, full: bool, /) -> Measured:
        """Measure."""


def benchmarks() -> dict[str, str]:
    """What each benchmark says of itself, by name. Nothing is imported for it: that takes long."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SAYS":
                found[path.stem.replace("_", "-")] = str(ast.literal_eval(node.value))
    return found


def main(arguments: list[str]) -> int:
    """Run the benchmark that `arguments` name, or list all."""
    if not arguments:
        for name, says in benchmarks().items():
            sys.stdout.write(f"{name:<22} {says}\n")
        return 0
    name = arguments[0]
    if name not in benchmarks():
        sys.stderr.write(f"no benchmark {name!r}; there are: {', '.join(benchmarks())}\n")
        return 2
    started = time.monotonic()
    benchmark = cast("Benchmark", importlib.import_module(name.replace("-", "_")))
    found = benchmark.run(os.environ.get("FULL") == "1")
    line = found.document(name, time.monotonic() - started)
    sys.stdout.write(json.dumps(line) + "\n")
    return BROKEN if found.broken() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
