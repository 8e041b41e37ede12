"""A verdict's findings, rule by rule, and what they say in a line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UnsetType

from edgefactory.pipelines.report.wording import figure
from edgefactory.registry import Finding, Verdict


@dataclass(frozen=True)
class Ruling:
    """One rule of the policy, and all that it found."""

    rule: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether all of it passed."""
        return all(found.passed for found in self.findings)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What did not."""
        return tuple(found for found in self.findings if not found.passed)


def rulings(verdict: Verdict) -> list[Ruling]:
    """The rules in the policy's order."""
    names = dict.fromkeys(found.rule for found in verdict.rules)
    return [Ruling(name, tuple(f for f in verdict.rules if f.rule == name)) for name in names]


def claim(verdict: Verdict) -> str:
    """The verdict in a line."""
    rules = rulings(verdict)
    failed = [one for one in rules if not one.passed]
    if not failed:
        return f"passed: {len(rules)} rules hold, {len(verdict.rules)} findings"
    return f"refused: {len(failed)} of {len(rules)} rules fail"


def alike(findings: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """The findings that had to reach the same, together."""
    wanted = dict.fromkeys(found.required for found in findings)
    return [tuple(f for f in findings if f.required == required) for required in wanted]


def subject_of(findings: Sequence[Finding]) -> str:
    """Whom they are about: the name of one, or how many there are."""
    return findings[0].subject if len(findings) == 1 else f"{len(findings)} findings"


def found_in(findings: Sequence[Finding]) -> str:
    """The figure, or from the lowest to the highest."""
    values = sorted(found.found for found in findings if found.found is not None)
    if not values:
        return "–"
    low, high = figure(values[0]), figure(values[-1])
    return low if low == high else f"{low} … {high}"


def called(rule: str) -> str:
    """A rule's name as it reads: that which always holds is no name of a person's."""
    return rule.replace("_", " ")


def remark(found: Finding) -> str:
    """Why it failed, or what is to be known beside."""
    return found.reason or ("" if isinstance(found.note, UnsetType) else found.note)
