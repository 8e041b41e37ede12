"""Whether a release folder holds the bytes that it states, and its figures belong to them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge_runtime.contract import Evidence, Release
from edgefactory.datasets.errors import MissingError, StorageError, TrustError
from edgefactory.datasets.outcomes import Outcomes, figure
from edgefactory.registry.binding import ACCURACY, answers_of, counts_for, foreign, size, unbound
from edgefactory.registry.files import plain_name, read_blob
from edgefactory.registry.gating.verdict import Finding

BLOBS = "blobs"
BOUND = "bound_to_bytes"
_SAME = 1e-9  # a figure computed twice


def bound(subject: str, reason: str = "") -> Finding:
    """The finding of the rule that always holds."""
    required = "every figure and file belongs to the released bytes"
    return Finding(BOUND, subject, None, required, not reason, reason)


def broken_bytes(folder: Path, release: Release) -> Iterator[Finding]:
    """A finding for each file that is missing, has other bytes, or is not part of the release."""
    for variant in release.variants:
        if variant.main not in variant.files or not all(map(plain_name, variant.files)):
            yield bound(variant.name, f"its file names {sorted(variant.files)} are not safe")
    expected = release.files()
    for sha256, ref in sorted(expected.items()):
        try:
            read_blob(folder / BLOBS / sha256, ref)
        except (TrustError, MissingError, StorageError) as error:
            yield bound(f"blob {sha256[:12]}…", str(error))
    try:
        present = {path.name for path in (folder / BLOBS).iterdir()}
    except OSError:
        present = set()
    for name in sorted(present - set(expected)):
        yield bound(f"blob {name[:12]}…", "no part of the release refers to it")


def unbound_figures(release: Release, evidence: Iterable[Evidence]) -> Iterator[Finding]:
    """A finding for each figure of another file, and for what a site could not test itself by."""
    lineage = release.lineage
    reasons = unbound(evidence, release.variants, lineage.teacher_sha256, lineage.snapshot_sha256)
    for reason in reasons:
        yield bound(release.name, reason)
    for variant in release.variants:
        if any(variant.name not in case.expected for case in release.golden.cases):
            yield bound(variant.name, "a golden case lacks its expected decisions")
        if size(variant) == 0:
            yield bound(variant.name, "its files are empty")
    if not release.golden.cases:
        yield bound(release.name, "there are no golden cases, so no site could test itself")
    if not release.variants:
        yield bound(release.name, "no variant has evidence, so nothing is offered to sites")


def unbound_outcomes(
    release: Release, evidence: Iterable[Evidence], outcomes: Outcomes
) -> Iterator[Finding]:
    """A finding for decisions of other files, or that do not give the figures of the evidence."""
    for reason in foreign(outcomes, release.variants, release.lineage.snapshot_sha256):
        yield bound(release.name, reason)
        return
    items = list(evidence)
    for variant in release.variants:
        answers = answers_of(outcomes, variant)
        stated = [
            item.value
            for item in items
            if item.metric == ACCURACY.get(release.task)
            and item.slice == "all"
            and counts_for(item, variant)
        ]
        if answers is None or not stated:
            continue
        counted = figure(outcomes, answers)
        if all(abs(counted - value) > _SAME for value in stated):
            yield bound(
                variant.name,
                f"its decisions give {counted:.6g}, the evidence states {stated[0]:.6g}",
            )
