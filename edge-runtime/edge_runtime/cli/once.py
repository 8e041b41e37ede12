"""Update one model now: pull, verify, self-test on this box, activate."""

import argparse
from typing import TYPE_CHECKING

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_threads, state_of

if TYPE_CHECKING:
    from edge_runtime.update import Update


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `once`."""
    add_wish(parser)
    parser.add_argument(
        "--retry",
        action="store_true",
        help="try also what failed here before: a release, or a variant of what is active",
    )
    parser.add_argument(
        "--trial", action="store_true", help="leave a new release on trial for the daemon"
    )


def add_wish(parser: argparse.ArgumentParser) -> None:
    """What to update: the model, and how it is to run."""
    parser.add_argument("--model", required=True, metavar="NAME", help="the model")
    parser.add_argument(
        "--engine",
        choices=("onnxruntime", "openvino", "tensorrt", "tensorrt-rtx"),
        help="only this engine (left out: the fastest here)",
    )
    add_threads(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Update, and say what is active now."""
    from edge_runtime.errors import EdgeRuntimeError
    from edge_runtime.trust.http import Http
    from edge_runtime.update import Wish, once

    wish = Wish(options.model, options.engine, options.threads, options.trial, options.retry)
    http = Http()
    try:
        update = once(state_of(options), wish, console.progress, http)
    except EdgeRuntimeError as error:
        error.retry_after = http.retry_after
        raise
    say(update, console)


def say(update: "Update", console: Console) -> None:
    """Say what an update came to."""
    if update.outcome == "not-in-rollout":
        lines = [f"{update.model}: this site takes no part in the rollout yet; nothing changed"]
    elif update.outcome == "paused":
        lines = [f"{update.model}: the rollout is paused; nothing changed"]
    elif update.outcome == "barred":
        lines = [
            f"{update.model} {update.version}: failed here before, not tried again "
            f"(--retry does): {update.reason}"
        ]
    else:
        by = f" by its {update.provider} provider" if update.provider is not None else ""
        lines = [
            f"{update.model} {update.version}: {update.outcome}, {update.variant} on "
            f"{update.engine}{by}, release {update.release[:12]}"
        ]
    lines += [f"  {name}: passed, {ms:.2f} ms" for name, ms in update.measured_ms.items()]
    lines += [f"  {name}: not used: {reason}" for name, reason in update.refused.items()]
    console.result(update, lines)
