"""Keeps what libraries print off the user's screen, and in a log file instead.

Training, tracking, quantization and engines write to stdout and stderr from Python and from
C++. While a stage works, both descriptors lead to its log; the screen keeps its own copy of
the real stderr.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# No library that the factory drives may phone home or ask about updates.
ENVIRONMENT = {
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",
    "GIT_PYTHON_REFRESH": "quiet",
    "DO_NOT_TRACK": "1",
}

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_real: dict[int, int] = {}  # copies of descriptors 1 and 2, while these lead to a log


def set_environment() -> None:
    """Give every library's switch its quiet value, unless the user has set it."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def set_logging(verbose: bool) -> None:
    """Log to stderr: everything of ours and of the libraries when `verbose`, else warnings."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format=LOG_FORMAT, force=True
    )
    for name in ("edgefactory", "edge_runtime"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
    if not verbose:
        warnings.simplefilter("ignore")


@contextmanager
def output_to(log: Path) -> Iterator[TextIO]:
    """Send this process's stdout and stderr to `log`; yields the real stderr.

    Child processes inherit the redirection. Raises OSError when `log` cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    screen = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    _real.update({descriptor: os.dup(descriptor) for descriptor in (1, 2)})
    try:
        for descriptor in _real:
            os.dup2(target, descriptor)
        os.close(target)
        yield screen
    finally:
        restore_output()
        screen.close()


def restore_output() -> None:
    """Let stdout and stderr lead to where they led before `output_to`, if they do not already.

    A Ctrl-C can come between any two steps of `output_to`, and even as its `with` begins or ends:
    whoever reports that calls this first.
    """
    _flush_quietly(sys.stdout)
    _flush_quietly(sys.stderr)
    for descriptor, copy in list(_real.items()):
        os.dup2(copy, descriptor)
        del _real[descriptor]
        os.close(copy)


def _flush_quietly(stream: TextIO) -> None:
    # A full disk must not hide the error that is already under way.
    try:
        stream.flush()
    except OSError:
        return
