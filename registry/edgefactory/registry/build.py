"""From variants, evidence, checkpoint and snapshot to a release: same inputs, same bytes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import UNSET

from edge_runtime.contract import (
    EvidenceBook,
    FileRef,
    Golden,
    Lineage,
    OperatingPoint,
    Reference,
    Release,
    Skipped,
    Variant,
    VariantSet,
    digest,
    encode,
)
from edgefactory.datasets.documents import Snapshot, read_document
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import fresh_folder
from edgefactory.datasets.manifest import read_manifest, snapshot_digest
from edgefactory.datasets.outcomes import Outcomes, encode_outcomes, read_outcomes
from edgefactory.registry.binding import ACCURACY, TEACHER, counts_for, foreign, unbound
from edgefactory.registry.bom import Ran, bill_of_materials, licensed
from edgefactory.registry.card import Facts, Shown, card
from edgefactory.registry.files import copy_blob, parse, plain_name, write_atomic
from edgefactory.registry.gate import BLOBS, RELEASE_FILE
from edgefactory.registry.lineage import read_lineage, read_versions
from edgefactory.registry.settings import ReleaseSettings

PREVIEW = "predictions.png"


@dataclass(frozen=True)
class Sources:
    """The folders that a release is made from, as the stages before it wrote them."""

    variants: Path
    evidence: Path
    checkpoint: Path
    snapshot: Path


PageMaker = Callable[[ReleaseSettings, Facts], bytes]
"""Makes the card's page: the same facts must give the same bytes."""


@dataclass(frozen=True)
class Built:
    """A release that was built, its SHA-256, and the variants that it does not offer, with why."""

    digest: str
    release: Release
    left_out: tuple[Skipped, ...]


@dataclass(frozen=True)
class _Inputs:
    """All documents that a release is made from, read and checked against each other."""

    made: VariantSet
    book: EvidenceBook
    point: OperatingPoint
    golden: Golden
    lineage: Lineage
    snapshot: Snapshot
    outcomes: Outcomes | None
    reference: Reference | None


@dataclass(frozen=True)
class _Papers:
    """What a release says of itself, as bytes."""

    evidence: bytes
    bom: bytes
    card: bytes
    page: bytes | None
    outcomes: bytes | None

    def all(self) -> tuple[bytes, ...]:
        written = (self.evidence, self.bom, self.card, self.page, self.outcomes)
        return tuple(content for content in written if content is not None)


def build_release(
    settings: ReleaseSettings, sources: Sources, out: Path, page: PageMaker | None = None
) -> Built:
    """Write the release folder `out`: release.json and blobs/<sha256>.

    A variant is offered only when its accuracy was measured on its own engine and precision;
    the others are named in the card, with the reason, and their figures are left out. Without
    `page` the card is Markdown only.
    Raises InputError when the documents do not belong together or a figure belongs to another
    file, TrustError when a file is not what its document states, MissingError, StorageError.
    """
    inputs = _read(sources)
    offered, left_out = _offer(inputs.made, inputs.book)
    names = {variant.name for variant in offered}
    figures = tuple(item for item in inputs.book.items if item.subject in {TEACHER, *names})
    inputs = replace(
        inputs,
        book=msgspec.structs.replace(inputs.book, items=figures),
        golden=_golden(inputs.golden, names),
        reference=_referred(inputs.reference, names),
    )
    papers = _papers(settings, sources, inputs, offered, left_out, page)
    release = _release(settings, inputs, offered, papers)
    data = encode(release)
    parse(data, Release, "the release made from these settings")
    with fresh_folder(out, RELEASE_FILE) as work:
        blobs = work / BLOBS
        for variant in offered:
            for name, ref in sorted(variant.files.items()):
                copy_blob(sources.variants / variant.name / name, ref, blobs)
        for case in inputs.golden.cases:
            copy_blob(golden_picture(sources.evidence, case.picture), case.picture, blobs)
        for content in papers.all():
            write_atomic(blobs / digest(content), content)
        write_atomic(work / RELEASE_FILE, data)
    return Built(digest(data), release, left_out)


def golden_picture(evidence: Path, picture: FileRef) -> Path:
    """Where the picture of a golden case lies in the folder of evidence."""
    return evidence / "golden" / f"{picture.sha256}.png"


def _papers(
    settings: ReleaseSettings,
    sources: Sources,
    inputs: _Inputs,
    offered: tuple[Variant, ...],
    left_out: tuple[Skipped, ...],
    page: PageMaker | None,
) -> _Papers:
    made, book, lineage = inputs.made, inputs.book, inputs.lineage
    evidence = encode(book)
    ran = Ran(made, offered, inputs.snapshot, book, lineage, read_versions(sources.checkpoint))
    bom = bill_of_materials(settings, ran)
    preview = sources.checkpoint / PREVIEW
    facts = Facts(
        made=made,
        offered=offered,
        left_out=left_out,
        snapshot=inputs.snapshot,
        book=book,
        evidence=_ref(evidence),
        point=inputs.point,
        lineage=lineage,
        bom=_ref(bom),
        licences=licensed(bom),
        golden=tuple(
            Shown(case, golden_picture(sources.evidence, case.picture))
            for case in inputs.golden.cases
        ),
        preview=preview if preview.is_file() else None,
    )
    drawn = None if page is None else page(settings, facts)
    decided = _decided(inputs.outcomes, {variant.name for variant in offered})
    return _Papers(evidence, bom, card(settings, facts).encode(), drawn, decided)


def _read(sources: Sources) -> _Inputs:
    variants, evidence = sources.variants, sources.evidence
    made = read_document(variants / "variants.json", VariantSet)
    book = read_document(evidence / "evidence.json", EvidenceBook)
    pictures = read_manifest(sources.snapshot)
    lineage = read_lineage(sources.checkpoint, pictures)
    manifest_sha256 = snapshot_digest(sources.snapshot)
    _same("snapshot", made.snapshot_sha256, manifest_sha256, "variants.json")
    _same("snapshot", lineage.snapshot_sha256, manifest_sha256, "lineage.json")
    _same("checkpoint", made.checkpoint_sha256, lineage.checkpoint_sha256, "variants.json")
    for variant in made.variants:
        if variant.main not in variant.files or not all(map(plain_name, variant.files)):
            raise InputError(
                f"variant {variant.name}: files {sorted(variant.files)} are not plain file names "
                f"with {variant.main!r} among them"
            )
    reasons = list(unbound(book.items, made.variants, lineage.teacher_sha256, manifest_sha256))
    if reasons:
        raise InputError(
            f"{len(reasons)} figures of {evidence / 'evidence.json'} do not belong to these files; "
            f"run the prove stage again. First: {reasons[0]}"
        )
    decided, known = evidence / "outcomes.json", evidence / "reference.json"
    outcomes = read_outcomes(decided) if decided.exists() else None
    strange = next(foreign(outcomes, made.variants, manifest_sha256), None) if outcomes else None
    if strange:
        raise InputError(f"{decided}: {strange}; run the prove stage again")
    return _Inputs(
        made=made,
        book=book,
        point=read_document(evidence / "operating_point.json", OperatingPoint),
        golden=read_document(evidence / "golden" / "golden.json", Golden),
        lineage=lineage,
        snapshot=pictures,
        outcomes=outcomes,
        reference=read_document(known, Reference) if known.exists() else None,
    )


def _same(what: str, found: str, expected: str, where: str) -> None:
    if found != expected:
        raise InputError(
            f"{where} is about {what} {found[:12]}…, but {what} {expected[:12]}… is given; "
            "run the earlier stages again"
        )


def _offer(made: VariantSet, book: EvidenceBook) -> tuple[tuple[Variant, ...], tuple[Skipped, ...]]:
    metric = ACCURACY.get(made.task)
    if metric is None:
        raise InputError(f"no accuracy figure is defined for the task {made.task!r}")
    offered: list[Variant] = []
    left_out = list(made.skipped)
    for variant in made.variants:
        figures = [item for item in book.items if counts_for(item, variant) and item.n > 0]
        if any(item.metric == metric and item.slice == "all" for item in figures):
            offered.append(variant)
            continue
        where = f"{variant.engine} {variant.precision}"
        reason = f"not executed here: no {metric} was measured on {where}; attest it there first"
        left_out.append(Skipped(variant.name, reason))
    if not offered:
        raise InputError(f"no variant has {metric} evidence; run the prove stage first")
    return tuple(offered), tuple(left_out)


def _golden(golden: Golden, names: set[str]) -> Golden:
    """The golden cases with the decisions of the offered variants only, complete for each."""
    for case in golden.cases:
        missing = sorted(names - set(case.expected))
        if missing:
            raise InputError(
                f"golden case {case.picture.sha256[:12]}… has no decisions of {missing[0]}; "
                "run the prove stage again"
            )
    if not golden.cases:
        raise InputError("there are no golden cases, so no site could test itself")
    cases = (
        msgspec.structs.replace(
            case, expected={k: v for k, v in sorted(case.expected.items()) if k in names}
        )
        for case in golden.cases
    )
    return msgspec.structs.replace(golden, cases=tuple(cases))


def _referred(reference: Reference | None, names: set[str]) -> Reference | None:
    """What the offered variants saw and said, where proving kept it (it did not always)."""
    if reference is None:
        return None
    kept = {name: said for name, said in reference.said.items() if name in names}
    return msgspec.structs.replace(reference, said=kept)


def _decided(outcomes: Outcomes | None, names: set[str]) -> bytes | None:
    """What the offered variants decided, where proving kept it (it did not always)."""
    if outcomes is None:
        return None
    kept = tuple(one for one in outcomes.subjects if one.subject in names)
    return encode_outcomes(msgspec.structs.replace(outcomes, subjects=kept))


def _release(
    settings: ReleaseSettings, inputs: _Inputs, offered: tuple[Variant, ...], papers: _Papers
) -> Release:
    return Release(
        schema="release/1",
        name=settings.name,
        version=settings.version,
        sequence=settings.sequence,
        task=inputs.made.task,
        labels=inputs.made.labels,
        input=inputs.made.input,
        output=inputs.made.output,
        operating_point=inputs.point,
        variants=offered,
        golden=inputs.golden,
        evidence=_ref(papers.evidence),
        lineage=inputs.lineage,
        card=_ref(papers.card),
        outcomes=UNSET if papers.outcomes is None else _ref(papers.outcomes),
        page=UNSET if papers.page is None else _ref(papers.page),
        bom=_ref(papers.bom),
        reference=UNSET if inputs.reference is None else inputs.reference,
    )


def _ref(data: bytes) -> FileRef:
    return FileRef(digest(data), len(data))
