"""What the gate says: `verdict.json`."""

from pathlib import Path
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from edge_runtime.contract import encode
from edge_runtime.contract.release import Sha256
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import GateError
from edgefactory.registry.files import write_atomic


class Finding(Struct, frozen=True, forbid_unknown_fields=True):
    """What one rule found about one subject; `reason` is empty when it passed.

    `note` is what should be known beside, where there is something.
    """

    rule: str
    subject: str
    found: float | None
    required: str
    passed: bool
    reason: str = ""
    note: str | UnsetType = UNSET


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate says about the release with that SHA-256, under the policy with that one.

    `against` is the release that it was compared with, if one was given.
    """

    schema: Literal["verdict/1"]
    release: Sha256
    policy: Sha256
    passed: bool
    rules: tuple[Finding, ...]
    against: Sha256 | UnsetType = UNSET


def write_verdict(verdict: Verdict, path: Path) -> None:
    """Write `verdict` to `path` as JSON, whole or not at all."""
    write_atomic(path, encode(verdict))


def read_verdict(path: Path) -> Verdict:
    """The verdict at `path`. Raises MissingError and InputError."""
    return read_document(path, Verdict)


def refuse(verdict: Verdict) -> None:
    """Raise GateError, naming the first reason, unless the verdict is that the release passed."""
    failed = [found for found in verdict.rules if not found.passed]
    if failed or not verdict.passed or not verdict.rules:
        first = failed[0] if failed else None
        why = f"{first.rule}: {first.subject}: {first.reason}" if first else "no rule was applied"
        raise GateError(
            f"release {verdict.release[:12]}… did not pass ({len(failed)} of "
            f"{len(verdict.rules)} rules failed); {why}"
        )
