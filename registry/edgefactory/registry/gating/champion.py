"""Not worse than the release that is in use, in pairs, on each slice.

All slices must pass, each at the policy's alpha: the chance that a release passes which is worse
by the margin on any of them is alpha at most (an intersection-union test; Berger 1982,
"Multiparameter hypothesis testing and acceptance sampling", Technometrics 24), so nothing needs to
be divided by the number of slices.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge_runtime.contract import Variant
from edgefactory.datasets.outcomes import (
    Answered,
    Lower,
    Outcomes,
    Part,
    compare,
    figure,
    parts,
)
from edgefactory.registry.binding import ACCURACY, answers_of, foreign
from edgefactory.registry.gating.case import Case, Rival
from edgefactory.registry.gating.verdict import Finding
from edgefactory.registry.policy import Champion

LEAST_PICTURES = 5  # of a slice
_NAMED = 12  # slices in a note


@dataclass(frozen=True)
class _Match:
    """A variant, and the champion's that it is compared with; both saw the pictures of `on`."""

    rule: Champion
    metric: str
    on: Outcomes
    variant: Variant
    new: Answered
    old: Answered


def judge_champion(rule: Champion, case: Case) -> Iterator[Finding]:
    """One finding a variant and slice, and one that names what is too small to be judged."""
    metric = ACCURACY.get(case.release.task, "accuracy")
    required = _required(metric, rule.margin, rule.alpha)
    why = next(_obstacles(case), "")
    if why or case.outcomes is None or case.rival is None or case.rival.outcomes is None:
        yield Finding(rule.name, case.release.name, None, required, False, why)
        return
    if not case.release.variants:
        yield Finding(rule.name, case.release.name, None, required, False, "it has no variant")
    for variant in case.release.variants:
        new, old = answers_of(case.outcomes, variant), _counterpart(variant, case.rival)
        if new is None or old is None:
            reason = (
                "its decisions on the test pictures are not in the release"
                if new is None
                else "the champion has no variant whose decisions are known"
            )
            yield Finding(rule.name, variant.name, None, required, False, reason)
            continue
        yield from _judge(_Match(rule, metric, case.outcomes, variant, new, old))


def _judge(match: _Match) -> Iterator[Finding]:
    (everything,) = parts(match.on, "all")
    yield _judge_part(match, everything, match.rule.margin)
    small: list[str] = []
    margin = match.rule.margin if match.rule.slice_margin is None else match.rule.slice_margin
    for by in match.rule.slices:
        found = parts(match.on, by)
        if not found:
            required = f"{_required(match.metric, margin, match.rule.alpha)}, by {by}"
            reason = "the snapshot does not know it: captured_at is no time since 1970"
            yield Finding(match.rule.name, match.variant.name, None, required, False, reason)
        if len(found) < 2:
            continue  # it is what all pictures are
        for part in found:
            if len(part.places) < LEAST_PICTURES or part.things < match.rule.least:
                small.append(f"{part.by} {part.name} ({part.things})")
            else:
                yield _judge_part(match, part, margin)
    if small:
        required = f"slices of fewer than {match.rule.least} things are not judged (`least`)"
        more = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
        said = f"not judged: {', '.join(small[:_NAMED])}{more}"
        name = match.variant.name
        yield Finding(match.rule.name, name, float(len(small)), required, True, "", said)


def _judge_part(match: _Match, part: Part, margin: float) -> Finding:
    subject = match.variant.name
    if part.by != "all":
        subject += f", {part.by} {part.name}"
    required = _required(match.metric, margin, match.rule.alpha)
    lower = _lower(match, part)
    if np.isnan(lower.value) or np.isnan(lower.limit):
        reason = "there is nothing to be found in these pictures"
        return Finding(match.rule.name, subject, None, required, False, reason)
    passed = lower.limit >= -margin
    said = (
        f"{_signed(lower.value)} against the champion's {match.old.subject}, "
        f"on {len(part.places)} pictures"
    )
    reason = "" if passed else f"{said}; it may be as low as {_signed(lower.limit)}"
    return Finding(match.rule.name, subject, lower.limit, required, passed, reason, said)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _lower(match: _Match, part: Part) -> Lower:
    new, old = match.new, match.old
    same = (new.files_sha256, new.engine, new.precision) == (
        old.files_sha256,
        old.engine,
        old.precision,
    )
    if same and (new.boxes, new.said) == (old.boxes, old.said):
        return Lower(0.0, 0.0)  # the same bytes on the same engine: nothing to test
    return compare(match.on, new, old, part, match.rule.alpha)


def _required(metric: str, margin: float, alpha: float) -> str:
    confidence = 100 * (1 - alpha)
    return f"{metric} less the champion's, with {confidence:g}% confidence ≥ {-margin:g}"


def _obstacles(case: Case) -> Iterator[str]:
    """Why the two cannot be compared."""
    rival, ours = case.rival, case.outcomes
    if rival is None:
        yield "no champion was given (--against)"
        return
    if rival.digest == case.digest:
        yield "the champion is this very release"
    first, second, theirs = case.release, rival.release, rival.outcomes
    if (first.name, first.task) != (second.name, second.task):
        yield f"the champion is {second.name} for {second.task}, another model"
    if ours is None:
        yield "the release does not hold its decisions on the test pictures; prove it again"
        return
    if theirs is None:
        yield rival.why
        return
    yield from (
        f"of the champion, {reason}"
        for reason in foreign(theirs, second.variants, ours.snapshot_sha256)
    )
    if _shown(ours) != _shown(theirs):
        yield "the champion's decisions are about other pictures, classes or truth"


def _shown(outcomes: Outcomes) -> tuple[object, ...]:
    return outcomes.classes, outcomes.pictures, outcomes.wanted, outcomes.targets


def _counterpart(variant: Variant, rival: Rival) -> Answered | None:
    """The champion's answers of that name, engine and precision; else of that engine and precision;
    else its best variant's."""
    assert rival.outcomes is not None
    outcomes = rival.outcomes
    own = outcomes.subject(variant.name, variant.engine, variant.precision)
    if own is not None:
        return own
    known = [a for v in rival.release.variants if (a := answers_of(outcomes, v)) is not None]
    alike = [a for a in known if (a.engine, a.precision) == (variant.engine, variant.precision)]
    return max(alike or known, key=lambda a: figure(outcomes, a), default=None)
