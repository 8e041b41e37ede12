"""Rules about what is not a figure of the model: licences, age of the data, approvals."""

from collections.abc import Iterator
from datetime import UTC, datetime

from edgefactory.registry.gating.case import Case
from edgefactory.registry.gating.verdict import Finding
from edgefactory.registry.policy import Approvals, Freshness, Licences

DAY_S = 86400.0


def judge_licences(rule: Licences, case: Case) -> Iterator[Finding]:
    """One finding for each data set and each weights that the bill of materials names.

    Weights that it names by their digest alone, with no licence, are of those that it states; where
    it states none, they fail.
    """
    required = f"one of {', '.join(rule.allowed)}"
    made_of = [one for one in case.licences if one.kind != "package"]
    stated = {one.kind for one in made_of if one.licence}
    if not stated:
        reason = "the release states no licences; name them in its settings and build it again"
        yield Finding(rule.name, case.release.name, None, required, False, reason)
    for one in made_of:
        if not one.licence and one.kind in stated:
            continue
        good = allows(rule.allowed, one.licence)
        reason = "" if good else f"it stands under {one.licence or 'a licence that nobody states'}"
        yield Finding(rule.name, one.what, None, required, good, reason)


def allows(allowed: tuple[str, ...], expression: str) -> bool:
    """Whether an SPDX expression can be kept with these licences: of `OR` one, of `AND` all.

    Parentheses are not understood, so what has them is not allowed.
    """
    known = {one.casefold() for one in allowed}
    return any(
        all(part.strip().casefold() in known for part in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def judge_freshness(rule: Freshness, case: Case) -> Iterator[Finding]:
    """One finding for each limit, in days before now."""
    limits = {"newest picture": rule.newest_days, "oldest picture": rule.oldest_days}
    captured = case.outcomes.captured if case.outcomes is not None else None
    times = dict(zip(("oldest picture", "newest picture"), captured or (), strict=False))
    for subject, limit in limits.items():
        if limit is None:
            continue
        required = f"at most {limit:g} days old"
        if subject not in times:
            reason = "the release does not say when its pictures were taken"
            yield Finding(rule.name, subject, None, required, False, reason)
            continue
        age = (case.now.timestamp() - times[subject]) / DAY_S
        taken = datetime.fromtimestamp(times[subject], UTC).date().isoformat()
        reason = "" if age <= limit else f"it is of {taken}, {age:.0f} days old"
        if age < -1.0:
            reason = f"it is of {taken}, in the future; check the clocks"
        yield Finding(rule.name, subject, age, required, not reason, reason, f"of {taken}")


def judge_approvals(rule: Approvals, case: Case) -> Iterator[Finding]:
    """One finding for each person who must approve."""
    for name, key in sorted(rule.people.items()):
        required = f"signed by {name}"
        said = [a for a in case.approvals if a.statement.name == name]
        ours = [a for a in said if a.statement.release == case.digest]
        if any(approval.signed_by(key) for approval in ours):
            yield Finding(rule.name, name, None, required, True)
            continue
        reason = "the signature is not by the key that the policy names" if ours else ""
        reason = reason or ("the approval is of another release" if said else "no approval is here")
        yield Finding(rule.name, name, None, required, False, reason)
