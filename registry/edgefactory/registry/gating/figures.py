"""Rules about figures of the evidence: limits, budgets, and parity of the variants."""

from collections.abc import Iterator, Sequence

from edge_runtime.contract import Evidence, Variant
from edgefactory.registry.binding import counts_for
from edgefactory.registry.gating.case import Case
from edgefactory.registry.gating.verdict import Finding
from edgefactory.registry.policy import (
    AtLeast,
    AtMost,
    Budget,
    Chosen,
    Figured,
    NonInferiority,
    Parity,
)


def judge_figure(rule: Figured, case: Case) -> Iterator[Finding]:
    """One finding a variant; with `of: best`, that of the best one."""
    subjects = _subjects(rule, case)
    required = _required(rule)
    if not subjects:
        yield _nobody(rule, required)
        return
    findings = [_judge_one(rule, variant, case.evidence) for variant in subjects]
    if rule.of == "each":
        yield from findings
        return
    measured = [found for found in findings if found.found is not None]
    sign = -1.0 if isinstance(rule, AtMost) else 1.0
    best = max(measured, key=lambda f: sign * (f.found or 0.0), default=None)
    yield best or findings[0]


def judge_budget(rule: Budget, case: Case) -> Iterator[Finding]:
    """One finding a variant and limit; with `of: best`, those of the first one that keeps all."""
    subjects = _subjects(rule, case)
    if not subjects:
        yield _nobody(rule, ", ".join(f"{m} ≤ {limit:g}" for m, limit in rule.limits().items()))
        return
    judged = []
    for variant in subjects:
        limits = [
            AtMost(name=rule.name, metric=metric, limit=limit)
            for metric, limit in rule.limits().items()
        ]
        judged.append([_judge_one(limit, variant, case.evidence) for limit in limits])
    if rule.of == "best":
        good = (findings for findings in judged if all(found.passed for found in findings))
        fewest = min(judged, key=lambda findings: sum(not found.passed for found in findings))
        judged = [next(good, fewest)]
    for findings in judged:
        yield from findings


def judge_parity(rule: Parity, case: Case) -> Iterator[Finding]:
    """One finding for each variant but the one that all are compared with."""
    compared = {
        item.against_sha256
        for item in case.evidence
        if item.metric == "agreement" and item.against_sha256 is not None
    }
    limit = AtLeast(name=rule.name, metric="agreement", limit=rule.share, by="interval")
    others = [v for v in case.release.variants if v.files[v.main].sha256 not in compared]
    if not others or len(compared) != 1:
        reason = "no variant was compared with FP32" if not compared else "nothing was compared"
        if len(compared) > 1:
            reason = f"variants were compared with {len(compared)} files, expected one"
        yield Finding(rule.name, case.release.name, None, _required(limit), False, reason)
        return
    for variant in others:
        yield _judge_one(limit, variant, case.evidence)


def _subjects(rule: Chosen, case: Case) -> list[Variant]:
    return [
        variant
        for variant in case.release.variants
        if rule.variant in {None, variant.name}
        and rule.precision in {None, variant.precision}
        and (rule.hardware is None or rule.hardware in variant.hardware)
    ]


def _nobody(rule: Chosen, required: str) -> Finding:
    where = f" on {rule.hardware}" if rule.hardware else ""
    subject = (rule.variant or f"precision {rule.precision or 'any'}") + where
    return Finding(rule.name, subject, None, required, False, "the release has no such variant")


def _judge_one(rule: Figured, variant: Variant, evidence: Sequence[Evidence]) -> Finding:
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


def _figure(rule: Figured, item: Evidence) -> float | None:
    if rule.by == "value":
        return item.value
    if item.interval is None:
        return None
    return item.interval[1] if isinstance(rule, AtMost) else item.interval[0]


def _required(rule: Figured) -> str:
    low, high = (", lower end of 95%", ", upper end of 95%") if rule.by == "interval" else ("", "")
    match rule:
        case AtLeast():
            return f"{rule.metric}{low} ≥ {rule.limit:g}"
        case AtMost():
            return f"{rule.metric}{high} ≤ {rule.limit:g}"
        case NonInferiority():
            return f"{rule.metric}{low} ≥ {-rule.margin:g}"
