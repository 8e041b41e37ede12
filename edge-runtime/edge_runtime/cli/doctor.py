"""Say what this box has, which engines work, and what is missing and how to get it."""

import argparse
import platform

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """`doctor` has no options of its own."""


def run(options: argparse.Namespace, console: Console) -> None:
    """Look at engines, hardware, video, state and clock; exit code 3 when the box cannot run."""
    from edge_runtime.diagnosis import examine
    from edge_runtime.errors import MissingError

    checks = examine(state_of(options))
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [system, *(f"{c.state:8} {c.name}: {c.found}" for c in checks)]
    console.result({"system": system, "checks": checks}, lines)
    broken = [c for c in checks if c.state == "broken"]
    if broken:
        raise MissingError("; ".join(f"{c.name}: {c.found}" for c in broken))
