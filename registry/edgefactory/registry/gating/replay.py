"""A command of the user's that gives figures of a release: run within bounds, read strictly."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import IO, Final, Literal

from msgspec import Struct

from edge_runtime.contract.release import Sha256
from edgefactory.datasets.errors import InputError
from edgefactory.registry.files import parse
from edgefactory.registry.gating.case import Case, Replayed
from edgefactory.registry.gating.verdict import Finding
from edgefactory.registry.policy import Replay

MAX_OUTPUT: Final = 1 << 20
_TAIL: Final = 300  # characters of stderr that are told
_SECRET: Final = "EDGEFACTORY_KEYS"  # noqa: S105 (names of variables)


class Figures(Struct, frozen=True, forbid_unknown_fields=True):
    """What the command prints: figures by name, about the release with that SHA-256."""

    schema: Literal["figures/1"]
    release: Sha256
    figures: dict[str, float]


def replay(rule: Replay, folder: Path, digest: str, home: Path) -> Replayed:
    """Run the command in `home` with the release's `folder` as its last argument.

    What takes too long, prints too much, fails, or speaks of another release gives no figures.
    """
    try:
        out = _run([*rule.command, str(folder.resolve())], home, rule.timeout_s)
        found = parse(out, Figures, "what it printed")
    except _FailedError as error:
        return Replayed(None, str(error))
    except InputError as error:
        return Replayed(None, " ".join(str(error).split()))
    if found.release != digest:
        return Replayed(None, f"its figures are of release {found.release[:12]}…, not of this one")
    return Replayed(found.figures)


def judge_replay(rule: Replay, case: Case) -> Iterator[Finding]:
    """One finding for each limit."""
    done = case.replays.get(rule.name, Replayed(None, "the command was not run"))
    limits = [(name, limit, 1) for name, limit in rule.at_least.items()]
    limits += [(name, limit, -1) for name, limit in rule.at_most.items()]
    for name, limit, sign in limits:
        required = f"{name} {'≥' if sign > 0 else '≤'} {limit:g}"
        found = None if done.figures is None else done.figures.get(name)
        if found is None or not isfinite(found):
            reason = done.why or f"the command gave no figure {name!r}"
            yield Finding(rule.name, name, None, required, False, reason)
            continue
        passed = sign * found >= sign * limit
        reason = "" if passed else f"found {found:.6g}, required {required}"
        yield Finding(rule.name, name, found, required, passed, reason)


class _FailedError(Exception):
    """The command gave nothing that could be read, with the reason."""


def _run(command: list[str], home: Path, timeout_s: float) -> bytes:
    """What the command printed. At the deadline its whole process group ends."""
    try:
        process = subprocess.Popen(
            command,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith(_SECRET)},
            start_new_session=True,
        )
    except OSError as error:
        raise _FailedError(f"{command[0]} cannot be run: {error.strerror or error}") from error
    try:
        out, err = _read(process, time.monotonic() + timeout_s, timeout_s)
        code = process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise _FailedError(f"{command[0]} did not end within {timeout_s:g} s") from None
    finally:
        if process.returncode is None:  # not waited for, so the number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if code != 0:
        said = " ".join(err.decode("utf-8", "replace").split())[-_TAIL:]
        raise _FailedError(f"{command[0]} ended with exit code {code}: {said or 'it said nothing'}")
    return out


def _read(
    process: "subprocess.Popen[bytes]", deadline: float, timeout_s: float
) -> tuple[bytes, bytes]:
    """Its stdout, and the end of its stderr, until both are closed."""
    assert process.stdout is not None
    assert process.stderr is not None
    taken: dict[IO[bytes], bytes] = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as waiting:
        for pipe in taken:
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            left = deadline - time.monotonic()
            ready = waiting.select(max(left, 0.0))
            if left <= 0 or not ready:
                raise _FailedError(f"the command did not end within {timeout_s:g} s")
            for key, _ in ready:
                pipe = process.stdout if key.fd == process.stdout.fileno() else process.stderr
                chunk = os.read(key.fd, 1 << 16)
                taken[pipe] += chunk
                if not chunk:
                    waiting.unregister(pipe)
            taken[process.stderr] = taken[process.stderr][-MAX_OUTPUT:]
            if len(taken[process.stdout]) > MAX_OUTPUT:
                raise _FailedError(f"the command printed more than {MAX_OUTPUT} bytes")
    return taken[process.stdout], taken[process.stderr]
