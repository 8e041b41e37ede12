"""From an exception to one line and an exit code."""

import errno
import sqlite3

import pytest

from edge_runtime import errors as runtime
from edgefactory.datasets import errors as factory
from edgefactory.pipelines.failures import describe


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (factory.InputError("bad"), 2),
        (factory.MissingError("gone"), 3),
        (factory.GateError("no"), 4),
        (factory.TrustError("forged"), 5),
        (factory.StorageError("full"), 6),
        (runtime.ContractError("bad"), 2),
        (runtime.MissingError("gone"), 3),
        (runtime.RefusedError("no"), 4),
        (runtime.TrustError("forged"), 5),
        (runtime.StorageError("full"), 6),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 6),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 6),
        (sqlite3.OperationalError("database or disk is full"), 6),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 6),
        (ZeroDivisionError("division by zero"), 1),
    ],
)
def test_each_error_has_its_code(error: BaseException, code: int) -> None:
    failure = describe(error)
    assert failure.exit_code == code
    assert "\n" not in failure.line


def test_a_full_disk_is_found_behind_another_error() -> None:
    outer = RuntimeError("could not save")
    outer.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert describe(outer).exit_code == 6


def test_a_defect_points_to_verbose_and_a_message_of_several_lines_becomes_one() -> None:
    assert "--verbose" in describe(ValueError("a\n  b")).line
    assert describe(factory.InputError("a\n  b")).line == "a b"
