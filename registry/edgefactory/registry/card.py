"""What a release says of itself to a person: the model card, in Markdown, from its documents."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.contract import (
    EvidenceBook,
    FileRef,
    GoldenCase,
    Lineage,
    OperatingPoint,
    Skipped,
    Variant,
    VariantSet,
)
from edgefactory.datasets.documents import Snapshot
from edgefactory.registry.bom import Licensed
from edgefactory.registry.figures import Row, columns, figure, kind_and_name, parts, rows
from edgefactory.registry.settings import ReleaseSettings

UNSTATED = "not stated"


@dataclass(frozen=True)
class Shown:
    """A golden case, and where its picture lies."""

    case: GoldenCase
    picture: Path


@dataclass(frozen=True)
class Facts:
    """What a card is written from; `evidence` is the stored form of `book`, `licences` is what the
    bill of materials `bom` says of them.

    `golden` and `preview`, training's own picture, are for cards that show pictures.
    """

    made: VariantSet
    offered: tuple[Variant, ...]
    left_out: tuple[Skipped, ...]
    snapshot: Snapshot
    book: EvidenceBook
    evidence: FileRef
    point: OperatingPoint
    lineage: Lineage
    bom: FileRef
    licences: tuple[Licensed, ...]
    golden: tuple[Shown, ...] = ()
    preview: Path | None = None


def card(settings: ReleaseSettings, facts: Facts) -> str:
    """The card's text; the same documents always give the same text."""
    sections = (
        [f"# {settings.name} {settings.version}", settings.summary],
        ["## What it is", *_identity(settings, facts)],
        ["## Intended use", settings.intended_use],
        ["## How the pictures were labelled", *_labelling(facts.snapshot)],
        ["## Measured", *_measured(facts)],
        _parts(facts),
        _not_offered(facts.left_out),
        ["## Limits", _list(settings.limits)],
        ["## Licences", *_licences(facts)],
        ["## Lineage", *_lineage(facts)],
    )
    return "\n\n".join(text for section in sections for text in section if text) + "\n"


def identity_says(settings: ReleaseSettings, facts: Facts) -> str:
    """What the model does, from what picture, and from which score on it counts."""
    spec, point = facts.made.input, facts.point
    return (
        f"A {facts.made.task} model for {', '.join(facts.made.labels)}. It takes a picture of "
        f"{spec.width}×{spec.height} pixels ({spec.colour}, {spec.fit}, {spec.resize}); a "
        f"decision counts from a score of {point.score_threshold:g} ({point.chosen_by}). "
        f"Release sequence {settings.sequence}."
    )


def _identity(settings: ReleaseSettings, facts: Facts) -> Iterator[str]:
    yield identity_says(settings, facts)
    yield _list(_offer(variant) for variant in facts.offered)


def _offer(variant: Variant) -> str:
    return (
        f"`{variant.name}`: {variant.engine}, {variant.precision}, on "
        f"{', '.join(variant.hardware)}; SHA-256 `{variant.files[variant.main].sha256}`"
    )


def labelling_says(snapshot: Snapshot) -> str:
    """How many pictures there are of each split, and who labelled those that judge."""
    splits = Counter(item.split for item in snapshot.items)
    who = {
        "human": "annotators independent of the teacher, picture by picture",
        "teacher": "the teacher itself: the figures below say how well it is imitated, not more",
        "imported": "the source of the pictures, as imported",
    }[snapshot.test_labels]
    return (
        f"{len(snapshot.items)} pictures: {splits['train']} to learn from, {splits['val']} to "
        f"watch over the training, {splits['test']} to judge by. Split by time with a gap, never "
        f"by random frame. The pictures to judge by were labelled by {who}."
    )


def label_rows(snapshot: Snapshot) -> list[tuple[str, str, str, int]]:
    """Split, origin, state, and how many labels there are of these."""
    labels = Counter(
        (item.split, label.origin, label.state) for item in snapshot.items for label in item.labels
    )
    return [(*key, n) for key, n in sorted(labels.items())]


def _labelling(snapshot: Snapshot) -> Iterator[str]:
    yield labelling_says(snapshot)
    table = [[split, f"`{o}`", state, str(n)] for split, o, state, n in label_rows(snapshot)]
    yield _table(("split", "origin", "state", "labels"), table)


def host_says(book: EvidenceBook) -> str:
    """Where the figures were measured."""
    host = book.host
    return f"On {host.cpu}, {host.cores} {'core' if host.cores == 1 else 'cores'}, {host.system}."


def _measured(facts: Facts) -> Iterator[str]:
    yield (
        f"{host_says(facts.book)} In brackets: 95% confidence interval. Every figure, with the "
        f"files, engine version and threads that it belongs to, stands in the evidence "
        f"`{facts.evidence.sha256}`."
    )
    found = rows(facts.book, facts.offered)
    shown = columns(found)
    yield _table(
        ("subject", "engine", "precision", *(title for _, title in shown)),
        [_cells(row, [metric for metric, _ in shown]) for row in found],
    )


def _cells(row: Row, metrics: Sequence[str]) -> list[str]:
    figures = [figure(row.figures.get(metric)) for metric in metrics]
    return [row.subject, row.engine, row.precision, *figures]


def _parts(facts: Facts) -> list[str]:
    found = {part: rows(facts.book, facts.offered, part) for part in parts(facts.book)}
    shown = columns([row for those in found.values() for row in those])
    if not shown:
        return []
    metrics = [metric for metric, _ in shown]
    table = [
        [" ".join(kind_and_name(part)).strip(), *_cells(row, metrics)]
        for part, those in found.items()
        for row in those
    ]
    head = ("part", "subject", "engine", "precision", *(title for _, title in shown))
    return ["## Measured, by part of the pictures", _table(head, table)]


def _not_offered(left_out: Sequence[Skipped]) -> list[str]:
    if not left_out:
        return []
    return ["## Not offered to sites", _list(f"`{s.name}`: {s.reason}" for s in left_out)]


def identities(facts: Facts) -> list[tuple[str, str]]:
    """What the release was made from, each by its name in the world."""
    lineage = facts.lineage
    known = (
        ("snapshot", lineage.snapshot_sha256),
        ("checkpoint", lineage.checkpoint_sha256),
        ("teacher", lineage.teacher_sha256),
        ("code, git commit", lineage.git_commit),
        ("MLflow run", lineage.mlflow_run),
        ("seed", str(lineage.seed)),
        ("bill of materials", facts.bom.sha256),
    )
    return [(what, name) for what, name in known if name is not None]


def _licences(facts: Facts) -> Iterator[str]:
    yield f"As the bill of materials `{facts.bom.sha256}` states them."
    table = [[one.what, one.kind, one.licence or UNSTATED, one.source] for one in facts.licences]
    yield _table(("what", "kind", "licence", "from"), table)


def _lineage(facts: Facts) -> Iterator[str]:
    lineage = facts.lineage
    yield _table(("what", "identity"), [[k, f"`{v}`"] for k, v in identities(facts)])
    if lineage.recipe:
        table = [[key, f"`{value}`"] for key, value in sorted(lineage.recipe.items())]
        yield _table(("recipe", "value"), table)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
