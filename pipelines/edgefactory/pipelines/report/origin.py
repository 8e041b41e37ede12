"""Where the model came from and who vouched for it: every link checked by its digest. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgefactory.pipelines.report.inputs import Inputs
from edgefactory.pipelines.report.schema import Summary


@dataclass(frozen=True)
class Node:
    """One thing in the lineage; `sha256` in full, `bound` None where no link can be checked.

    `verb` and `what` tell the link: "names" "snapshot" becomes "names", "snapshot".
    """

    title: str
    detail: str
    sha256: str | None
    bound: bool | None = None
    verb: str = ""
    what: str = ""

    @property
    def link(self) -> str:
        """Whether the link to what came before holds, in words."""
        return f"{self.verb} {'this' if self.bound else 'another'} {self.what}"


def lineage(inputs: Inputs, summary: Summary) -> list[Node]:
    """From footage to branch, as far as the line has run."""
    return [*_made(inputs, summary), *_vouched(inputs)]


def _made(inputs: Inputs, summary: Summary) -> Iterator[Node]:
    footage, variants = inputs.footage, inputs.variants
    clip = inputs.sources.get("clip")
    yield Node(
        "Footage", clip.file or footage.name if clip else footage.name, footage.source_sha256
    )
    teacher = inputs.labels.teacher_sha256
    same = inputs.labels.source_sha256 == footage.source_sha256
    detail = "by the teacher" if teacher else "imported"
    yield Node("Labels", detail, teacher, same, "name", "footage")
    yield Node("Snapshot", f"{len(inputs.snapshot.items):,} pictures", inputs.snapshot_sha256)
    yield Node(
        "Checkpoint",
        f"seed {inputs.training.seed}",
        variants.checkpoint_sha256,
        inputs.training.snapshot_sha256 == inputs.snapshot_sha256,
        "names",
        "snapshot",
    )
    yield Node(
        "Variant",
        summary.headline,
        summary.best.sha256,
        variants.snapshot_sha256 == inputs.snapshot_sha256
        and variants.checkpoint_sha256 == inputs.checkpoint_sha256,
        "names",
        "checkpoint",
    )


def _vouched(inputs: Inputs) -> Iterator[Node]:
    release, verdict, branch = inputs.release, inputs.verdict, inputs.branch
    if release is None or inputs.release_sha256 is None:
        return
    main = {v.name: v.files[v.main].sha256 for v in inputs.variants.variants}
    yield Node(
        "Release",
        f"{release.name} {release.version}",
        inputs.release_sha256,
        all(main.get(v.name) == v.files[v.main].sha256 for v in release.variants),
        "holds",
        "set of variants",
    )
    if verdict:
        word = "passed" if verdict.passed else "refused"
        same = verdict.release == inputs.release_sha256
        yield Node("Gate", word, verdict.policy, same, "judged", "release")
    if inputs.chain:
        listed = any(r.sha256 == inputs.release_sha256 for r in inputs.chain.releases)
        signers = next((r.signers for r in inputs.chain.roles if r.role == "releases"), ())
        yield Node("Signatures", f"{len(signers)} on the release", None, listed, "cover", "release")
    if branch:
        same = branch.run.release == inputs.release_sha256
        yield Node("Branch", branch.run.site, branch.run.release, same, "ran", "release")
