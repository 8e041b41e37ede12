"""May this release be signed? A verdict from the release's own bytes and a policy, with reasons."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from edge_runtime.contract import (
    Evidence,
    EvidenceBook,
    Release,
    Variant,
    digest,
    encode,
)
from edge_runtime.contract.release import Sha256
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import GateError, MissingError, StorageError, TrustError
from edgefactory.registry.binding import counts_for, size, unbound
from edgefactory.registry.files import parse, plain_name, read_blob, read_bounded, write_atomic
from edgefactory.registry.policy import AtLeast, AtMost, NonInferiority, Rule, read_policy

RELEASE_FILE = "release.json"
BLOBS = "blobs"
MAX_RELEASE_BYTES = 16 * 1024 * 1024


class Finding(Struct, frozen=True, forbid_unknown_fields=True):
    """What one rule found about one subject; `reason` is empty when it passed."""

    rule: str
    subject: str
    found: float | None
    required: str
    passed: bool
    reason: str = ""


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate says about the release with that SHA-256, under the policy with that one."""

    schema: Literal["verdict/1"]
    release: Sha256
    policy: Sha256
    passed: bool
    rules: tuple[Finding, ...]


def gate(release: Path, policy: Path) -> Verdict:
    """Judge the release folder `release` by the policy file `policy`.

    Bytes that are missing or are not what release.json states fail the rule `bound_to_bytes`;
    a rule that finds no figure fails. Raises MissingError and InputError only
    when release.json or the policy is not there or not valid.
    """
    rules, policy_sha256 = read_policy(policy)
    data = read_bounded(release / RELEASE_FILE, MAX_RELEASE_BYTES)
    document = parse(data, Release, str(release / RELEASE_FILE))
    findings = [*_bytes_findings(release, document)]
    evidence: tuple[Evidence, ...] = ()
    if not findings:
        raw = read_blob(release / BLOBS / document.evidence.sha256, document.evidence)
        evidence = parse(raw, EvidenceBook, f"the evidence of {document.name}").items
        findings += _binding_findings(document, evidence)
    findings = findings or [_bound(document.name)]
    findings += [found for rule in rules.rules for found in judge(rule, document, evidence)]
    passed = all(found.passed for found in findings)
    return Verdict("verdict/1", digest(data), policy_sha256, passed, tuple(findings))


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


def judge(rule: Rule, release: Release, evidence: Sequence[Evidence]) -> Iterator[Finding]:
    """What `rule` finds in the release, one finding a subject (with `of: best`, one)."""
    subjects = [
        variant
        for variant in release.variants
        if rule.variant in {None, variant.name} and rule.precision in {None, variant.precision}
    ]
    if not subjects:
        subject = rule.variant or f"precision {rule.precision or 'any'}"
        yield Finding(
            rule.name, subject, None, _required(rule), False, "the release has no such variant"
        )
        return
    findings = [_judge_one(rule, variant, evidence) for variant in subjects]
    if rule.of == "each":
        yield from findings
        return
    measured = [found for found in findings if found.found is not None]
    sign = -1.0 if isinstance(rule, AtMost) else 1.0
    best = max(measured, key=lambda f: sign * (f.found or 0.0), default=None)
    yield best or findings[0]


def _judge_one(rule: Rule, variant: Variant, evidence: Sequence[Evidence]) -> Finding:
    items = [
        item
        for item in evidence
        if item.metric == rule.metric and item.slice == rule.slice and counts_for(item, variant)
    ]
    required = _required(rule)
    if not items:
        reason = f"no figure on {variant.engine} {variant.precision}, slice {rule.slice!r}"
        return Finding(rule.name, variant.name, None, required, False, reason)
    figures = [_figure(rule, item) for item in items]
    if any(figure is None for figure in figures):
        reason = "the figure has no interval, and the rule asks for one"
        return Finding(rule.name, variant.name, None, required, False, reason)
    values = [figure for figure in figures if figure is not None]
    # Two figures for one thing: the worse one counts.
    if isinstance(rule, AtMost):
        found = max(values)
        passed = found <= rule.limit
    else:
        found = min(values)
        passed = found >= (-rule.margin if isinstance(rule, NonInferiority) else rule.limit)
    reason = "" if passed else f"found {found:.6g}, required {required}"
    return Finding(rule.name, variant.name, found, required, passed, reason)


def _figure(rule: Rule, item: Evidence) -> float | None:
    if isinstance(rule, NonInferiority) and rule.by == "interval":
        return None if item.interval is None else item.interval[0]
    return item.value


def _required(rule: Rule) -> str:
    match rule:
        case AtLeast():
            return f"{rule.metric} ≥ {rule.limit:g}"
        case AtMost():
            return f"{rule.metric} ≤ {rule.limit:g}"
        case NonInferiority(by="interval"):
            return f"{rule.metric}, lower end of 95% ≥ {-rule.margin:g}"
        case NonInferiority():
            return f"{rule.metric} ≥ {-rule.margin:g}"


def _bound(subject: str, reason: str = "") -> Finding:
    required = "every figure and file belongs to the released bytes"
    return Finding("bound_to_bytes", subject, None, required, not reason, reason)


def _bytes_findings(folder: Path, release: Release) -> Iterator[Finding]:
    for variant in release.variants:
        if variant.main not in variant.files or not all(map(plain_name, variant.files)):
            yield _bound(variant.name, f"its file names {sorted(variant.files)} are not safe")
    expected = release.files()
    for sha256, ref in sorted(expected.items()):
        try:
            read_blob(folder / BLOBS / sha256, ref)
        except (TrustError, MissingError, StorageError) as error:
            yield _bound(f"blob {sha256[:12]}…", str(error))
    try:
        present = {path.name for path in (folder / BLOBS).iterdir()}
    except OSError:
        present = set()
    for name in sorted(present - set(expected)):
        yield _bound(f"blob {name[:12]}…", "no part of the release refers to it")


def _binding_findings(release: Release, evidence: Iterable[Evidence]) -> Iterator[Finding]:
    lineage = release.lineage
    reasons = unbound(evidence, release.variants, lineage.teacher_sha256, lineage.snapshot_sha256)
    for reason in reasons:
        yield _bound(release.name, reason)
    for variant in release.variants:
        if any(variant.name not in case.expected for case in release.golden.cases):
            yield _bound(variant.name, "a golden case lacks its expected decisions")
        if size(variant) == 0:
            yield _bound(variant.name, "its files are empty")
    if not release.golden.cases:
        yield _bound(release.name, "there are no golden cases, so no site could test itself")
    if not release.variants:
        yield _bound(release.name, "no variant has evidence, so nothing is offered to sites")
