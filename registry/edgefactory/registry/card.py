"""What a release says of itself to a person: the model card, in Markdown, from its documents."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edge_runtime.contract import (
    Evidence,
    EvidenceBook,
    FileRef,
    Lineage,
    OperatingPoint,
    Skipped,
    Variant,
    VariantSet,
)
from edgefactory.datasets.documents import Snapshot
from edgefactory.registry.binding import TEACHER, counts_for
from edgefactory.registry.settings import ReleaseSettings

COLUMNS = (
    ("ap50", "AP50"),
    ("accuracy", "accuracy"),
    ("ap50_minus_teacher", "AP50 − teacher"),
    ("ap50_minus_fp32", "AP50 − fp32"),
    ("accuracy_minus_fp32", "accuracy − fp32"),
    ("latency_ms", "latency, ms"),
    ("time_ratio", "× faster than the teacher"),
    ("macs", "MACs"),
    ("bytes", "bytes"),
)
"""The figures that the card shows, in this order, where there are any; all are in the evidence."""


@dataclass(frozen=True)
class Facts:
    """The documents that a card is written from; `evidence` is the stored form of `book`."""

    made: VariantSet
    offered: tuple[Variant, ...]
    left_out: tuple[Skipped, ...]
    snapshot: Snapshot
    book: EvidenceBook
    evidence: FileRef
    point: OperatingPoint
    lineage: Lineage


def card(settings: ReleaseSettings, facts: Facts) -> str:
    """The card's text; the same documents always give the same text."""
    sections = (
        [f"# {settings.name} {settings.version}", settings.summary],
        ["## What it is", *_identity(settings, facts)],
        ["## Intended use", settings.intended_use],
        ["## How the pictures were labelled", *_labelling(facts.snapshot)],
        ["## Measured", *_measured(facts.book, facts.offered, facts.evidence)],
        _not_offered(facts.left_out),
        ["## Limits", _list(settings.limits)],
        [
            "## Licences",
            _list(f"{entry.what}: {entry.licence} ({entry.source})" for entry in settings.licences),
        ],
        ["## Lineage", *_lineage(facts.lineage)],
    )
    return "\n\n".join(text for section in sections for text in section if text) + "\n"


def _identity(settings: ReleaseSettings, facts: Facts) -> Iterator[str]:
    spec, point = facts.made.input, facts.point
    yield (
        f"A {facts.made.task} model for {', '.join(facts.made.labels)}. It takes a picture of "
        f"{spec.width}×{spec.height} pixels ({spec.colour}, {spec.fit}, {spec.resize}); a "
        f"decision counts from a score of {point.score_threshold:g} ({point.chosen_by}). "
        f"Release sequence {settings.sequence}."
    )
    yield _list(_offer(variant) for variant in facts.offered)


def _offer(variant: Variant) -> str:
    return (
        f"`{variant.name}`: {variant.engine}, {variant.precision}, on "
        f"{', '.join(variant.hardware)}; SHA-256 `{variant.files[variant.main].sha256}`"
    )


def _labelling(snapshot: Snapshot) -> Iterator[str]:
    splits = Counter(item.split for item in snapshot.items)
    who = {
        "human": "annotators independent of the teacher, picture by picture",
        "teacher": "the teacher itself: the figures below say how well it is imitated, not more",
        "imported": "the source of the pictures, as imported",
    }[snapshot.test_labels]
    yield (
        f"{len(snapshot.items)} pictures: {splits['train']} to learn from, {splits['val']} to "
        f"watch over the training, {splits['test']} to judge by. Split by time with a gap, never "
        f"by random frame. The pictures to judge by were labelled by {who}."
    )
    labels = Counter(
        (item.split, label.origin, label.state) for item in snapshot.items for label in item.labels
    )
    rows = [[split, f"`{o}`", state, str(n)] for (split, o, state), n in sorted(labels.items())]
    yield _table(("split", "origin", "state", "labels"), rows)


def _measured(book: EvidenceBook, offered: Sequence[Variant], evidence: FileRef) -> Iterator[str]:
    host = book.host
    yield (
        f"On {host.cpu}, {host.cores} cores, {host.system}. In brackets: 95% confidence interval. "
        f"Every figure, with the files, engine version and threads that it belongs to, stands in "
        f"the evidence `{evidence.sha256}`."
    )
    subjects: dict[tuple[str, str, str], dict[str, Evidence]] = {}
    names = {variant.name: variant for variant in offered}
    for item in book.items:
        variant = names.get(item.subject)
        shown = item.subject == TEACHER or (variant and counts_for(item, variant))
        if shown and item.slice == "all":
            key = (item.subject, item.engine, item.precision)
            subjects.setdefault(key, {}).setdefault(item.metric, item)
    columns = [c for c in COLUMNS if any(c[0] in figures for figures in subjects.values())]
    rows = [
        [*key, *(_figure(figures.get(metric)) for metric, _ in columns)]
        for key, figures in subjects.items()
    ]
    yield _table(("subject", "engine", "precision", *(title for _, title in columns)), rows)


def _figure(item: Evidence | None) -> str:
    if item is None:
        return "–"
    if float(item.value).is_integer() and abs(item.value) >= 1000:
        return f"{item.value:.0f}"
    text = f"{item.value:.4g}"
    if item.interval is not None:
        text += f" [{item.interval[0]:.3g}, {item.interval[1]:.3g}]"
    return text


def _not_offered(left_out: Sequence[Skipped]) -> list[str]:
    if not left_out:
        return []
    return ["## Not offered to sites", _list(f"`{s.name}`: {s.reason}" for s in left_out)]


def _lineage(lineage: Lineage) -> Iterator[str]:
    facts = (
        ("snapshot", lineage.snapshot_sha256),
        ("checkpoint", lineage.checkpoint_sha256),
        ("teacher", lineage.teacher_sha256),
        ("code, git commit", lineage.git_commit),
        ("MLflow run", lineage.mlflow_run),
        ("seed", lineage.seed),
    )
    yield _table(("what", "identity"), [[k, f"`{v}`"] for k, v in facts if v is not None])
    if lineage.recipe:
        rows = [[key, f"`{value}`"] for key, value in sorted(lineage.recipe.items())]
        yield _table(("recipe", "value"), rows)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in body)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
