"""Reads all that the gate judges: the release's own bytes, the champion's, and what was given."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from msgspec import UnsetType

from edge_runtime.contract import Evidence, EvidenceBook, FileRef, Release, digest
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import Outcomes, parse_outcomes, read_outcomes
from edgefactory.registry.bom import Licensed, licensed
from edgefactory.registry.files import parse, read_blob, read_bounded
from edgefactory.registry.gating.approval import read_approval
from edgefactory.registry.gating.case import Case, Rival
from edgefactory.registry.gating.replay import replay
from edgefactory.registry.gating.verdict import Finding
from edgefactory.registry.gating.whole import (
    BLOBS,
    bound,
    broken_bytes,
    unbound_figures,
    unbound_outcomes,
)
from edgefactory.registry.policy import Policy, Replay

RELEASE_FILE = "release.json"
MAX_RELEASE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Given:
    """What a verdict may need besides the release and the policy.

    `against` is the folder of the release in use, `outcomes` what it decided on the candidate's
    test pictures, where its own are of another snapshot. `now`: None is the time of the machine.
    """

    against: Path | None = None
    outcomes: Path | None = None
    approvals: tuple[Path, ...] = ()
    now: datetime | None = None


@dataclass(frozen=True)
class _Own:
    """What the release's bytes hold, and what is against them; without whole bytes, nothing."""

    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...] = ()
    outcomes: Outcomes | None = None
    licences: tuple[Licensed, ...] = ()


def gather(folder: Path, policy: Policy, home: Path, given: Given) -> tuple[Case, list[Finding]]:
    """The case, and what `bound_to_bytes` found against it; commands run in the folder `home`.

    Raises MissingError and InputError for a document that was named and is not there or not valid.
    """
    data = read_bounded(folder / RELEASE_FILE, MAX_RELEASE_BYTES)
    release, sha256 = parse(data, Release, str(folder / RELEASE_FILE)), digest(data)
    own = _own(folder, release)
    # What is not whole is not handed to a command.
    commands = [] if own.findings else [r for r in policy.rules if isinstance(r, Replay)]
    case = Case(
        release,
        sha256,
        given.now or datetime.now(UTC),
        own.evidence,
        own.outcomes,
        own.licences,
        None if given.against is None else _rival(given.against, given.outcomes, own.outcomes),
        tuple(read_approval(path) for path in given.approvals),
        {rule.name: replay(rule, folder, sha256, home) for rule in commands},
    )
    return case, list(own.findings) or [bound(release.name)]


def _own(folder: Path, release: Release) -> _Own:
    broken = tuple(broken_bytes(folder, release))
    if broken:
        return _Own(broken)
    evidence = _evidence(folder, release)
    findings = [*unbound_figures(release, evidence)]
    outcomes: Outcomes | None = None
    licences: tuple[Licensed, ...] = ()
    try:
        licences = _licences(folder, release)
        outcomes = _outcomes(folder, release)
    except InputError as error:
        findings.append(bound(release.name, str(error)))
    if outcomes is not None:
        wrong = [*unbound_outcomes(release, evidence, outcomes)]
        findings += wrong
        outcomes = None if wrong else outcomes
    return _Own(tuple(findings), evidence, outcomes, licences)


def _licences(folder: Path, release: Release) -> tuple[Licensed, ...]:
    """What the bill of materials says; nothing of a release from before there was one."""
    if isinstance(release.bom, UnsetType):
        return ()
    return licensed(_blob(folder, release.bom))


def _evidence(folder: Path, release: Release) -> tuple[Evidence, ...]:
    raw = _blob(folder, release.evidence)
    return parse(raw, EvidenceBook, f"the evidence of {release.name}").items


def _outcomes(folder: Path, release: Release) -> Outcomes | None:
    if isinstance(release.outcomes, UnsetType):
        return None
    return parse_outcomes(_blob(folder, release.outcomes), f"the outcomes of {release.name}")


def _blob(folder: Path, ref: FileRef) -> bytes:
    return read_blob(folder / BLOBS / ref.sha256, ref)


def _rival(folder: Path, given: Path | None, ours: Outcomes | None) -> Rival:
    """The champion with its decisions on our pictures: those given, else its own."""
    data = read_bounded(folder / RELEASE_FILE, MAX_RELEASE_BYTES)
    release, sha256 = parse(data, Release, str(folder / RELEASE_FILE)), digest(data)
    broken = next(broken_bytes(folder, release), None)
    if broken is not None:
        return Rival(release, sha256, None, f"of the champion, {broken.subject}: {broken.reason}")
    if given is not None:
        return Rival(release, sha256, read_outcomes(given))
    own = _outcomes(folder, release)
    if own is not None and (ours is None or own.snapshot_sha256 == ours.snapshot_sha256):
        return Rival(release, sha256, own)
    why = (
        "what the champion decides on these test pictures is not known: run "
        f"`edgefactory outcomes {folder} SNAPSHOT --out FILE`, and give --outcomes FILE"
    )
    return Rival(release, sha256, None, why)
