"""Parse the command line, run one command, turn errors into a line and an exit code."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from edge_runtime import __version__
from edge_runtime.cli import (
    bench,
    doctor,
    enroll,
    import_,
    infer,
    logs,
    once,
    relearn,
    rollback,
    run,
    selftest,
    status,
)
from edge_runtime.cli.console import Console
from edge_runtime.errors import EdgeRuntimeError

EPILOG = """\
exit codes:
  0  done                       4  this box refused a release
  1  a defect of ours           5  a signature, digest or sequence does not verify
  2  bad input or option        6  the disk is full, read-only or damaged
  3  something is missing     130  interrupted
"""

_COMMANDS = (
    enroll,
    once,
    import_,
    run,
    infer,
    status,
    logs,
    rollback,
    relearn,
    selftest,
    bench,
    doctor,
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    everywhere = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    everywhere.add_argument(
        "--state", type=Path, metavar="DIR", help="the site's state ($XDG_STATE_HOME/edge-runtime)"
    )
    everywhere.add_argument("--json", action="store_true", help="print the result as JSON")
    everywhere.add_argument("--verbose", action="store_true", help="say on stderr what is done")
    parser = _Parser(
        prog="edge-runtime",
        description="Pulls signed models, proves them on this box, runs them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[everywhere],
    )
    parser.add_argument("--version", action="version", version=f"edge-runtime {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        name = command.__name__.rpartition(".")[2].rstrip("_")
        text = (command.__doc__ or "").strip()
        sub = commands.add_parser(
            name, help=text.splitlines()[0], description=text, parents=[everywhere]
        )
        command.add_options(sub)
        sub.set_defaults(command=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-runtime` with `argv`; the exit code."""
    options = _parser().parse_args(argv)
    verbose = getattr(options, "verbose", False)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    console = Console(json=getattr(options, "json", False))
    options.state = getattr(options, "state", None)
    try:
        options.command.run(options, console)
    except EdgeRuntimeError as error:
        console.error(str(error), error.exit_code, error.retry_after)
        return error.exit_code
    except KeyboardInterrupt:
        console.error("interrupted; run the same command again to continue", 130)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has gone: nothing is left to be said
        return 0
    except Exception as error:
        if verbose:
            logging.getLogger(__name__).exception("a defect")
        console.error(
            f"a defect of ours: {type(error).__name__}: {error}; --verbose shows where", 1
        )
        return 1
    return 0
