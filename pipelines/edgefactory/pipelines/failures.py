"""From an exception to one line and an exit code.

    0    it worked
    1    a defect of ours; run with --verbose for the traceback
    2    a file, option or document is not what it must be
    3    something needed is not here: network, package, tool, file
    4    a gate looked at the evidence and said no
    5    a signature, digest or sequence does not verify
    6    the disk is full or not writable
    130  interrupted

Pure, apart from looking at the exception; the command line does the printing.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass

DEFECT, INPUT, MISSING, GATE, TRUST, STORAGE, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130

EXIT_CODES = """\
exit codes:
  0    it worked
  1    a defect of ours; run with --verbose for the traceback
  2    a file, option or document is not what it must be
  3    something needed is not here: network, package, tool, file
  4    a gate looked at the evidence and said no
  5    a signature, digest or sequence does not verify
  6    the disk is full or not writable
  130  interrupted; running the same command again continues
"""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
# Libraries in C++ and Rust wrap the operating system's answer into their own exceptions.
_FULL_WORDS = ("No space left on device", "database or disk is full", "Disk quota exceeded")


@dataclass(frozen=True)
class Failure:
    """What the user is told. `expected` is False for a defect, which has a traceback to show."""

    exit_code: int
    line: str
    expected: bool = True


def describe(error: BaseException) -> Failure:
    """The line and the exit code for `error`."""
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, "Interrupted; run the same command again to continue.")
    if any(_is_full(link) for link in _chain(error)):
        return Failure(STORAGE, "The disk is full: free some space and run the same command again.")
    code = _declared_code(error)
    if code is not None:
        return Failure(code, _one_line(str(error)))
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        where = f" {error.filename}" if error.filename else ""
        return Failure(
            STORAGE, f"Not permitted:{where} ({error.strerror}); check its owner and mode."
        )
    name = type(error).__name__
    detail = _one_line(str(error))
    return Failure(
        DEFECT, f"{name}: {detail}; run with --verbose for the traceback.", expected=False
    )


def _declared_code(error: BaseException) -> int | None:
    from edge_runtime.errors import EdgeRuntimeError
    from edgefactory.datasets.errors import EdgefactoryError

    if isinstance(error, (EdgefactoryError, EdgeRuntimeError)):
        return error.exit_code
    return None


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(words in str(error) for words in _FULL_WORDS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "no further detail"
