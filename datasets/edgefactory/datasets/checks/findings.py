"""What a check found: `check.json`, the document check/1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from edgefactory.datasets.documents import Box, Count, Name, Sha256, Share, Task, read_document

Kind = Literal[
    "leak",
    "exact-duplicate",
    "near-duplicate",
    "label-error",
    "missing-box",
    "misplaced-box",
    "unseen-box",
    "odd-box",
    "class-imbalance",
    "dark",
    "over-exposed",
    "blurred",
    "occluded",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MOST_LISTED: Final = 10_000  # findings of one kind that a report lists; all are counted

Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Finding(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing to look at.

    `score` orders the findings of a kind, the plainest first; it is no probability. `items` are
    pictures: first the one to look at, then the one that it is compared with. A finding about
    all of the data names none. `label` is the place of the label that is doubted among the first
    picture's labels; `box` is where to look in that picture; `expected` is the class that
    belongs there instead.
    """

    kind: Kind
    score: Share
    text: Text
    items: tuple[Sha256, ...] = ()
    label: Count | None = None
    box: Box | None = None
    expected: Name | None = None


class CheckReport(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="check/1",
):
    """What was looked for in a snapshot, what was found, and what could not be looked for.

    `found` counts the findings of each kind that was looked for, 0 included; `skipped` says why
    another kind was not. `findings` are in the order of the kinds, the plainest first, and at
    most 10,000 of a kind. `teacher` is the digest of the model that was asked.
    """

    snapshot: Sha256
    name: Name
    task: Task
    pictures: Count
    found: dict[Kind, Count]
    skipped: dict[Kind, Text]
    findings: tuple[Finding, ...]
    teacher: Sha256 | None = None

    def of(self, kind: Kind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)


def arranged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings as a report lists them."""
    place = {kind: index for index, kind in enumerate(KINDS)}
    ordered = sorted(findings, key=lambda finding: (place[finding.kind], -finding.score))
    listed: list[Finding] = []
    counts: dict[Kind, int] = {}
    for finding in ordered:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
        if counts[finding.kind] <= MOST_LISTED:
            listed.append(finding)
    return tuple(listed)


def counted(findings: Iterable[Finding], skipped: Mapping[Kind, str]) -> dict[Kind, int]:
    """How many there are of each kind that was not skipped."""
    counts: dict[Kind, int] = {kind: 0 for kind in KINDS if kind not in skipped}
    for finding in findings:
        counts[finding.kind] += 1
    return counts


def read_check(path: Path) -> CheckReport:
    """The report at `path`; `MissingError` or `InputError` when it is not one."""
    return read_document(path, CheckReport)
