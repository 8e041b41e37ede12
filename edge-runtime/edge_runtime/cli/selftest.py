"""Let the active release decide about its golden pictures again, on this box."""

import argparse

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_model, add_threads, state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `selftest`."""
    add_model(parser)
    add_threads(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Self-test; a difference ends with exit code 4."""
    from edge_runtime.running import active, open_active

    state = state_of(options)
    found = active(state, options.model)
    open_active(state, found, options.threads)
    cases = len(found.release.golden.cases)
    value = {
        "model": found.release.name,
        "release": found.slot.release.sha256,
        "version": found.release.version,
        "variant": found.slot.variant,
        "engine": found.slot.engine,
        "cases": cases,
        "passed": True,
    }
    text = f"{found.release.name} {found.release.version} ({found.slot.variant})"
    console.result(value, (f"{text}: {cases} golden cases decided as they should be",))
