"""May this release be signed? A verdict from the release's own bytes and a policy, with reasons."""

from pathlib import Path

from msgspec import UNSET

from edgefactory.registry.gating.gathering import (
    MAX_RELEASE_BYTES,
    RELEASE_FILE,
    Given,
    gather,
)
from edgefactory.registry.gating.judging import judge
from edgefactory.registry.gating.verdict import (
    Finding,
    Verdict,
    read_verdict,
    refuse,
    write_verdict,
)
from edgefactory.registry.gating.whole import BLOBS
from edgefactory.registry.policy import read_policy

__all__ = [
    "BLOBS",
    "MAX_RELEASE_BYTES",
    "RELEASE_FILE",
    "Finding",
    "Given",
    "Verdict",
    "gate",
    "read_verdict",
    "refuse",
    "write_verdict",
]


def gate(release: Path, policy: Path, given: Given | None = None) -> Verdict:
    """Judge the release folder `release` by the policy file `policy`.

    Bytes that are missing or are not what release.json states fail the rule `bound_to_bytes`;
    a rule that finds no figure fails. Raises MissingError and InputError only when release.json,
    the policy or what was `given` is not there or not valid.
    """
    rules, policy_sha256 = read_policy(policy)
    case, findings = gather(release, rules, policy.resolve().parent, given or Given())
    findings += [found for rule in rules.rules for found in judge(rule, case)]
    return Verdict(
        "verdict/1",
        case.digest,
        policy_sha256,
        all(found.passed for found in findings),
        tuple(findings),
        UNSET if case.rival is None else case.rival.digest,
    )
