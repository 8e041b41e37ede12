"""The command line `edgefactory`: parses, hands over to one command, says how it ended.

Nothing heavy is imported here: a command brings what it needs when it runs.
"""

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from edgefactory.pipelines import quiet
from edgefactory.pipelines.commands import GROUPS, TOP, Command
from edgefactory.pipelines.failures import EXIT_CODES, describe
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.pipelines.outcome import Outcome

DESCRIPTION = """\
A production line for edge models: footage and a general model in, a small, proven, signed
specialist out. `edgefactory demo --workspace DIR` runs all of it; each stage is also a
command of its own, reads its section of DIR/params.yaml, and needs no DVC.
"""

NAMED = ("snapshot", "release", "checkpoint", "variants", "evidence", "data", "settings")
"""A stage that is given one of these works on folders of its caller's, and on no workspace."""


def build_parser() -> argparse.ArgumentParser:
    """The whole parser, made from the tables in `commands`."""
    shared = _shared_options(argparse.SUPPRESS)
    parser = argparse.ArgumentParser(
        prog="edgefactory",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_shared_options(False)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say the version and end")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in TOP.items():
        _add_command(commands, name, command, shared)
    for group, (says, members) in GROUPS.items():
        inner = commands.add_parser(group, help=says, description=says, parents=[shared])
        inner_commands = inner.add_subparsers(metavar="COMMAND", required=True)
        for name, command in members.items():
            _add_command(inner_commands, name, command, shared)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; `failures` says what the codes mean."""
    args = build_parser().parse_args(argv)
    previous = signal.signal(signal.SIGTERM, _terminate)
    # The one place where every exception ends: one line, and a code that a script can read.
    try:
        outcome = _run(args.command, args)
        _print(outcome, args)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- see above
        return _report(error, args)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return outcome.exit_code


def _run(command: Command, args: argparse.Namespace) -> "Outcome":
    quiet.set_environment()
    quiet.set_logging(args.verbose)
    if command.STAGE is None or any(getattr(args, name, None) is not None for name in NAMED):
        return command.run(args, Screen())
    from edgefactory.pipelines.running import StageRun

    with StageRun(command.STAGE, Path(args.workspace), args.verbose) as stage:
        args.workspace = stage.workspace.root
        outcome = command.run(args, stage.screen)
        stage.succeed(outcome.line)
    # In a run of the whole line the stage's line is on the screen already.
    return outcome if stage.run_id is None else _silent(outcome)


def _silent(outcome: "Outcome") -> "Outcome":
    from dataclasses import replace

    return replace(outcome, line="")


def _print(outcome: "Outcome", args: argparse.Namespace) -> None:
    if args.json:
        sys.stdout.write(json.dumps(outcome.figures, indent=2) + "\n")
    elif outcome.line:
        sys.stdout.write(outcome.line + "\n")
    sys.stdout.flush()


def _report(error: BaseException, args: argparse.Namespace) -> int:
    interrupts = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
            return 0
        quiet.restore_output()
        failure = describe(error)
        if args.verbose:
            traceback.print_exception(error)
        if failure.line:
            Screen().failure(f"edgefactory: {failure.line}")
        return failure.exit_code
    finally:
        signal.signal(signal.SIGINT, interrupts)


class _Version(argparse.Action):
    """Says the version, which is looked up only then: that takes a fifth of `--help`'s time."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            sys.stdout.write(f"edgefactory {version('edgefactory')}\n")
        except PackageNotFoundError:
            sys.stdout.write("edgefactory, not installed\n")
        parser.exit()


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _shared_options(default: object) -> argparse.ArgumentParser:
    # The same switches before and after the command; after it they must not reset the former.
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=default,
        help="show tracebacks, and what the libraries print",
    )
    parser.add_argument(
        "--json", action="store_true", default=default, help="print the result as one JSON object"
    )
    return parser


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    shared: argparse.ArgumentParser,
) -> None:
    parser = commands.add_parser(
        name,
        help=command.HELP,
        description=command.__doc__,
        parents=[shared],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if command.STAGE is not None:
        add_workspace(parser)
    command.options(parser)
    parser.set_defaults(command=command)


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """The option that every stage has."""
    parser.add_argument(
        "--workspace",
        metavar="DIR",
        default=".",
        help="the folder of the line, with its params.yaml (default: here)",
    )
