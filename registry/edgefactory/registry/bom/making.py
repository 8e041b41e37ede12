"""From the documents of a release to its bill of materials; the same documents, the same bytes.

the release        machine-learning-model: what it is for, what it is made of
├── a variant      machine-learning-model: its files and figures, one each
├── weights        machine-learning-model: the checkpoint that all variants were made from
├── teacher, …     machine-learning-model: weights that others made
├── snapshot, …    data: what it learned from and was judged by, and where that came from
└── packages       library: what trained, converted and measured it, by version
"""

import importlib.metadata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from edge_runtime.contract import Evidence, EvidenceBook, Lineage, Variant, VariantSet, encode
from edgefactory.datasets.documents import Snapshot
from edgefactory.registry.binding import counts_for
from edgefactory.registry.bom.document import (
    Analysis,
    Bom,
    Bounds,
    Commit,
    Component,
    Considerations,
    DataSet,
    Dependency,
    Format,
    Hash,
    Metadata,
    Metric,
    ModelCard,
    Parameters,
    Pedigree,
    Property,
    Ref,
    Tools,
)
from edgefactory.registry.bom.licences import PACKAGES, licence_choice
from edgefactory.registry.settings import ReleaseSettings

OURS = ("edgefactory", "edgefactory-runtime")
RELEASE, CHECKPOINT, SNAPSHOT, TEACHER = "release", "checkpoint", "snapshot", "teacher"
BEGAN_WITH = "weights_sha256"  # the recipe's key: the weights that training began with
_SERIAL = uuid.UUID("6f0f4c0e-2a0e-5b7e-9d52-3c5a5e0d7c11")  # of our serial numbers


@dataclass(frozen=True)
class Ran:
    """The documents of a release, and the packages by version that trained it."""

    made: VariantSet
    offered: tuple[Variant, ...]
    snapshot: Snapshot
    book: EvidenceBook
    lineage: Lineage
    trained_by: Mapping[str, str]


def bill_of_materials(settings: ReleaseSettings, ran: Ran) -> bytes:
    """The document's bytes. It has no timestamp, and its serial number follows from the content."""
    variants = [_variant(settings, ran, variant) for variant in ran.offered]
    sources = list(_sources(settings, ran.lineage))
    packages = list(_packages({**ran.trained_by, **ran.book.host.versions}))
    bom = Bom(
        "CycloneDX",
        "1.6",
        "",
        1,
        Metadata(Tools((_tool(),)), _release(settings, ran)),
        (*variants, _checkpoint(settings, ran.lineage), _snapshot(ran), *sources, *packages),
        tuple(_dependencies(ran, variants, sources)),
    )
    serial = uuid.uuid5(_SERIAL, encode(bom).decode())
    return encode(structs.replace(bom, serial_number=f"urn:uuid:{serial}"))


def _tool() -> Component:
    return Component("application", OURS[0], version=importlib.metadata.version(OURS[0]))


def _release(settings: ReleaseSettings, ran: Ran) -> Component:
    spec = ran.made.input
    pixels = f"image: uint8 [N,{spec.height},{spec.width},3] {spec.colour}"
    return Component(
        "machine-learning-model",
        settings.name,
        RELEASE,
        settings.version,
        settings.summary,
        model_card=ModelCard(
            Parameters(
                ran.made.task,
                (Ref(SNAPSHOT),),
                (Format(pixels),),
                tuple(Format(name) for name in ran.made.output.names),
            ),
            considerations=Considerations((settings.intended_use,), settings.limits),
        ),
        properties=(Property("edgefactory:sequence", str(settings.sequence)),),
    )


def _variant(settings: ReleaseSettings, ran: Ran, variant: Variant) -> Component:
    figures = [item for item in ran.book.items if counts_for(item, variant)]
    files = tuple(
        Component("file", name, f"{variant.name}/{name}", hashes=(Hash(ref.sha256),))
        for name, ref in sorted(variant.files.items())
    )
    facts = {
        "engine": variant.engine,
        "hardware": ", ".join(variant.hardware),
        "precision": variant.precision,
    }
    return Component(
        "machine-learning-model",
        f"{settings.name} {variant.name}",
        f"variant/{variant.name}",
        settings.version,
        hashes=(Hash(variant.files[variant.main].sha256),),
        components=files,
        properties=tuple(Property(f"edgefactory:{k}", v) for k, v in facts.items()),
        model_card=ModelCard(
            quantitative_analysis=Analysis(tuple(_metric(item) for item in figures))
        ),
    )


def _metric(item: Evidence) -> Metric:
    low_high = item.interval
    return Metric(
        item.metric,
        repr(item.value),
        "" if item.slice == "all" else item.slice,
        None if low_high is None else Bounds(repr(low_high[0]), repr(low_high[1])),
    )


def _checkpoint(settings: ReleaseSettings, lineage: Lineage) -> Component:
    commits = (Commit(lineage.git_commit),) if lineage.git_commit else ()
    return Component(
        "machine-learning-model",
        f"{settings.name} checkpoint",
        CHECKPOINT,
        settings.version,
        hashes=(Hash(lineage.checkpoint_sha256),),
        pedigree=Pedigree(commits, f"seed {lineage.seed}"),
        properties=tuple(
            Property(f"edgefactory:recipe:{key}", str(value))
            for key, value in sorted(lineage.recipe.items())
        ),
    )


def _snapshot(ran: Ran) -> Component:
    items = ran.snapshot.items
    says = f"{len(items)} pictures of {len({item.source for item in items})} sources"
    return Component(
        "data",
        ran.snapshot.name,
        SNAPSHOT,
        hashes=(Hash(ran.lineage.snapshot_sha256),),
        data=(DataSet("dataset", ran.snapshot.name, says),),
        properties=(Property("edgefactory:test_labels", ran.snapshot.test_labels),),
    )


def _sources(settings: ReleaseSettings, lineage: Lineage) -> Iterator[Component]:
    """What the release says that it was made from, and the weights that its lineage names.

    The teacher's digest goes to the one entry of weights that there is; where there are several,
    nobody but their author knows which it is of, and it stands alone.
    """
    weights = [entry for entry in settings.licences if entry.kind == "weights"]
    taught = lineage.teacher_sha256
    known = taught is not None and len(weights) == 1
    for number, entry in enumerate(settings.licences):
        is_data = entry.kind == "data"
        teacher = known and not is_data
        yield Component(
            "data" if is_data else "machine-learning-model",
            entry.what,
            TEACHER if teacher else f"source/{number}",
            description=entry.source,
            hashes=(Hash(taught),) if teacher and taught else (),
            licenses=(licence_choice(entry.licence),),
            data=(DataSet("dataset", entry.what),) if is_data else (),
        )
    if taught is not None and not known:
        yield Component("machine-learning-model", "teacher", TEACHER, hashes=(Hash(taught),))
    began = lineage.recipe.get(BEGAN_WITH)
    if isinstance(began, str):
        yield Component(
            "machine-learning-model",
            "weights that training began with",
            BEGAN_WITH,
            hashes=(Hash(began),),
        )


def _packages(versions: Mapping[str, str]) -> Iterator[Component]:
    ours = {name: importlib.metadata.version(name) for name in OURS}
    for name, version in sorted({**versions, **ours}.items()):
        licence = PACKAGES.get(name)
        yield Component(
            "library",
            name,
            f"package/{name}",
            version,
            licenses=(licence_choice(licence),) if licence else (),
            purl=f"pkg:pypi/{name}@{version}",
        )


def _dependencies(
    ran: Ran, variants: Sequence[Component], sources: Sequence[Component]
) -> Iterator[Dependency]:
    ours = [f"package/{name}" for name in OURS]
    trained = sorted({*(f"package/{name}" for name in ran.trained_by), *ours})
    converted = sorted({*(f"package/{name}" for name in ran.book.host.versions), *ours})
    refs = [variant.bom_ref for variant in variants]
    labelled = [s.bom_ref for s in sources if s.type == "data" or s.bom_ref == TEACHER]
    began = [s.bom_ref for s in sources if s.bom_ref not in labelled]
    yield Dependency(RELEASE, tuple(refs))
    for ref in refs:
        yield Dependency(ref, (CHECKPOINT, *converted))
    yield Dependency(CHECKPOINT, (SNAPSHOT, *began, *trained))
    yield Dependency(SNAPSHOT, tuple(labelled))
