"""How a published release came to be, step by step, from its labels to the sites that run it.

Pure: all of it was verified before. Each step names what it rests on by digest, and who signed.
"""

from dataclasses import dataclass

from msgspec import UNSET, Struct

from edge_runtime.contract import Rollout, digest
from edge_runtime.contract.rings import BUCKETS
from edgefactory.registry.attestations import Attested, Judged
from edgefactory.registry.files import parse
from edgefactory.registry.gating.verdict import Verdict


class KeyHolder(Struct, frozen=True):
    """A key whose signature was checked; `name` is what the role above calls its holder."""

    keyid: str
    name: str


class Step(Struct, frozen=True):
    """One link: what it is, the SHA-256 of what came out, in words, and who signed for it."""

    step: str
    sha256: str
    says: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Papers:
    """What was said about a release: its verdict, the attestations, the two signatures."""

    judged: Judged
    attested: tuple[Attested, ...]
    people: tuple[KeyHolder, ...]


def steps(papers: Papers, rollout: Rollout, blocked: str) -> tuple[Step, ...]:
    """The chain of the release that `rollout` names; `blocked` is what is against it, or empty."""
    release, lineage = papers.judged.release, papers.judged.release.lineage
    by = {one.kind: (_name(one),) for one in papers.attested}
    nobody = () if papers.attested else ("nobody: published before attestations were asked for",)
    teacher = lineage.teacher_sha256
    labels = f"teacher {teacher[:12]}…" if teacher else "no teacher"
    commit = f", commit {lineage.git_commit[:12]}" if lineage.git_commit else ""
    names = ", ".join(variant.name for variant in release.variants)
    people = tuple(holder.name or holder.keyid[:12] for holder in papers.people)
    sha256, verdict = digest(papers.judged.data), papers.judged.verdict
    how = f"from that snapshot, seed {lineage.seed}{commit}"
    return (
        Step("snapshot", lineage.snapshot_sha256, labels),
        Step("training", lineage.checkpoint_sha256, how, by.get("training", nobody)),
        Step("variants", sha256, f"{len(release.variants)}: {names}"),
        Step("evidence", release.evidence.sha256, "of these", by.get("evaluation", nobody)),
        Step("gate", digest(verdict), _judged(verdict), by.get("gate", nobody)),
        Step("release", sha256, f"sequence {release.sequence}", people),
        Step("published", rollout.release, blocked or _reach(rollout)),
    )


def _name(one: Attested) -> str:
    return one.name if one.known else f"{one.keyid[:12]}…, a key that was replaced since"


def _judged(data: bytes) -> str:
    verdict = parse(data, Verdict, "the verdict")
    against = "" if verdict.against is UNSET else f", against {verdict.against[:12]}…"
    return f"{len(verdict.rules)} findings, policy {verdict.policy[:12]}…{against}"


def _reach(rollout: Rollout) -> str:
    share = f"{100 * rollout.bound / BUCKETS:g}% of the sites"
    named = f" and {len(rollout.sites)} by name" if rollout.sites else ""
    return f"{'paused at ' if rollout.paused else ''}{share}{named}"
