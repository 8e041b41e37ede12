"""Whether figures belong to the bytes that they are shown beside. Values in, reasons out."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from edge_runtime.contract import RECIPE_FILE, Evidence, Task, Variant
from edgefactory.datasets.outcomes import Answered, Outcomes

TEACHER = "teacher"

ACCURACY: Mapping[Task, str] = MappingProxyType({"detection": "ap50", "classification": "accuracy"})
"""The metric without which a variant of that task is not offered to sites."""

DECIDED: frozenset[str] = frozenset({*ACCURACY.values(), "agreement", "ece"})
"""Metrics of what a model decides, whatever executes it."""


def size(variant: Variant) -> int:
    """The variant's length in bytes, over all its files."""
    return sum(ref.bytes for ref in variant.files.values())


def counts_for(item: Evidence, variant: Variant) -> bool:
    """Whether the figure is about the variant as sites run it: its engine and precision.

    A variant whose device builds the engine cannot be run here. What its model decided in another
    engine counts for it, never how fast or large that was: the device's own golden self-test tells
    whether the engine that it builds decides the same.
    """
    if (item.subject, item.engine) == (variant.name, variant.engine):
        return item.precision == variant.precision
    return (
        RECIPE_FILE in variant.files
        and item.metric.partition("_minus_")[0] in DECIDED
        and item.precision == variant.precision
        and item.file_sha256 == variant.files[variant.main].sha256
    )


def answers_of(outcomes: Outcomes, variant: Variant) -> Answered | None:
    """What the variant decided; for one whose device builds the engine, what its model decided
    elsewhere, as with its figures."""
    found = outcomes.subject(variant.name, variant.engine, variant.precision)
    if found is not None or RECIPE_FILE not in variant.files:
        return found
    main = variant.files[variant.main].sha256
    same = (
        o for o in outcomes.subjects if (o.file_sha256, o.precision) == (main, variant.precision)
    )
    return next(same, None)


def foreign(outcomes: Outcomes, variants: Iterable[Variant], snapshot_sha256: str) -> Iterator[str]:
    """A reason for each of the outcomes that does not belong to these variants and snapshot."""
    if outcomes.snapshot_sha256 != snapshot_sha256:
        found, wanted = outcomes.snapshot_sha256[:12], snapshot_sha256[:12]
        yield f"its outcomes are of snapshot {found}…, not of {wanted}…"
    known = {variant.name: variant for variant in variants}
    for one in outcomes.subjects:
        variant = known.get(one.subject)
        if variant is None:
            yield f"outcomes of {one.subject}: there is no such variant"
        elif set(one.files_sha256) != {ref.sha256 for ref in variant.files.values()}:
            yield f"outcomes of {one.subject}: they are of other files than the variant's"
        elif one.file_sha256 != variant.files[variant.main].sha256:
            yield f"outcomes of {one.subject}: another file than the main one was executed"


def unbound(
    items: Iterable[Evidence],
    variants: Iterable[Variant],
    teacher_sha256: str | None,
    snapshot_sha256: str,
) -> Iterator[str]:
    """A reason for each figure that does not belong to these variants, teacher and snapshot."""
    known = {variant.name: variant for variant in variants}
    for item in items:
        reason = _reason(item, known, teacher_sha256, snapshot_sha256)
        if reason:
            yield f"{item.metric} of {item.subject}: {reason}"


def _reason(
    item: Evidence, known: Mapping[str, Variant], teacher: str | None, snapshot: str
) -> str | None:
    if item.snapshot_sha256 != snapshot:
        return f"measured on snapshot {item.snapshot_sha256[:12]}…, not on {snapshot[:12]}…"
    if item.interval is not None and item.interval[0] > item.interval[1]:
        return f"its interval {item.interval} is upside down"
    if item.subject == TEACHER:
        if item.file_sha256 != teacher:
            return f"file {item.file_sha256[:12]}… is not the teacher of this lineage"
    elif item.subject not in known:
        return "there is no such variant"
    elif reason := _foreign_file(item, known[item.subject]):
        return reason
    return _foreign_comparison(item, known, teacher)


def _foreign_file(item: Evidence, variant: Variant) -> str | None:
    main = variant.files[variant.main].sha256
    if item.file_sha256 != main:
        return f"file {item.file_sha256[:12]}… was measured, the variant's is {main[:12]}…"
    all_files = {ref.sha256 for ref in variant.files.values()}
    named = set(item.files_sha256) or {item.file_sha256}
    if named != all_files:
        return "the files that were measured are not all the files of the variant"
    if item.metric == "bytes" and item.value != size(variant):
        return f"stated as {item.value:.0f} bytes, the files have {size(variant)}"
    return None


def _foreign_comparison(
    item: Evidence, known: Mapping[str, Variant], teacher: str | None
) -> str | None:
    with_teacher = item.metric.endswith("_minus_teacher") or item.metric.startswith("time_ratio")
    with_fp32 = item.metric.endswith("_minus_fp32")
    if item.against_sha256 is None:
        return "it names no file that it compares with" if with_teacher or with_fp32 else None
    full = {v.files[v.main].sha256 for v in known.values() if v.precision == "f32"}
    allowed = {teacher} if with_teacher else full if with_fp32 else full | {teacher}
    if item.against_sha256 not in allowed:
        return f"compared with {item.against_sha256[:12]}…, which is not of this release"
    return None
