"""What is released, what proves it, and who should run it: release, evidence, rollout."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from edge_runtime.contract.reference import Reference
from edge_runtime.contract.signals import Signal

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")]
Version = Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
Task = Literal["detection", "classification", "embedding"]
Engine = Literal["onnxruntime", "openvino", "tensorrt", "tensorrt-rtx"]
Provider = Literal["openvino", "cuda"]
Precision = Literal["f32", "bf16", "f16", "int8"]
Count = Annotated[int, Meta(ge=0)]
Pixels = Annotated[int, Meta(ge=1, le=16384)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class FileRef(Struct, frozen=True, forbid_unknown_fields=True):
    """A file by its content: SHA-256 and length in bytes."""

    sha256: Sha256
    bytes: Count


class InputSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What must happen to a picture before the graph sees it; see `contract.preprocess`.

    `fit`: "stretch" fills width × height and ignores the aspect ratio; "letterbox" keeps it
    and pads with the grey level `pad`. `resize` names the exact algorithm, because two
    libraries' "bilinear" differ by up to ten grey levels. "pillow-box" is Pillow's `reduce`
    where both sides shrink by whole factors (to blocks of up to 32,768 pixels), its BOX filter
    otherwise. `signal` says how the picture is made where it is a sequence; see
    `contract.signals`. Without one it is UNSET, not None: so documents from before there were
    sequences keep their bytes.
    """

    width: Pixels
    height: Pixels
    fit: Literal["stretch", "letterbox"] = "stretch"
    resize: Literal["pillow-box", "pillow-bilinear"] = "pillow-box"
    colour: Literal["RGB"] = "RGB"
    pad: Annotated[int, Meta(ge=0, le=255)] = 114
    signal: Signal | UnsetType = UNSET


class OutputSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The graph's outputs by name. Detection: boxes f32[N,K,4] (xyxy, pixels of the input),
    scores f32[N,K], labels i64[N,K], padded with score 0. Classification:
    probabilities f32[N,C]. Embedding: embedding f32[N,D], of unit length."""

    names: tuple[str, ...]


class OperatingPoint(Struct, frozen=True, forbid_unknown_fields=True):
    """The score from which a decision counts, and how it was chosen."""

    score_threshold: Share
    chosen_by: str


class Variant(Struct, frozen=True, forbid_unknown_fields=True):
    """One executable form of the model, for one engine, precision and hardware class.

    `files` maps the names that the engine expects (as `model.onnx`, or `model.xml` and
    `model.bin`) to their content; `main` is the one that the engine opens. `hardware` is
    "cpu" or a GPU compute capability as "sm86"; for the engine "onnxruntime" a card means its CUDA
    provider, "cpu" its own kernels or its OpenVINO provider, whichever is faster on the box. For
    the engine "tensorrt" `files` are the portable ONNX model and a `TensorrtBuild` recipe, by which
    the device makes its own engine.
    """

    name: Name
    engine: Engine
    precision: Precision
    hardware: tuple[str, ...]
    main: str
    files: dict[str, FileRef]
    minimum_runtime: Version = "0.1.0"


class Decisions(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model decided about one picture. Boxes are xyxy in pixels of the model's input.

    A model of embeddings decides where the picture lies: `embedding`, of unit length, and nothing
    else. Otherwise it is UNSET, not None, so that documents from before keep their bytes.
    """

    labels: tuple[int, ...]
    scores: tuple[float, ...]
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    embedding: tuple[float, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.labels) or len(self.boxes) not in {0, len(self.labels)}:
            raise ValueError("labels, scores and boxes are not of the same decisions")
        if self.labels and not isinstance(self.embedding, UnsetType):
            raise ValueError("an embedding stands alone, without labels")


class Tolerance(Struct, frozen=True, forbid_unknown_fields=True):
    """How far decisions may lie from the golden ones on another CPU.

    Two embeddings agree when their cosine is at least 1 - `score`.
    """

    score: Share = 0.05
    iou: Share = 0.85


class GoldenCase(Struct, frozen=True, forbid_unknown_fields=True):
    """A picture (PNG of exactly the input size) and what each variant decided about it."""

    picture: FileRef
    expected: dict[str, Decisions]


class Golden(Struct, frozen=True, forbid_unknown_fields=True):
    """The self-test that a box runs on its own hardware before it trusts a release."""

    cases: tuple[GoldenCase, ...]
    tolerance: Tolerance


class Host(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a figure was measured."""

    cpu: str
    flags: tuple[str, ...]
    cores: Count
    system: str
    python: str
    versions: dict[str, str]


class Evidence(Struct, frozen=True, forbid_unknown_fields=True):
    """One figure, bound to the bytes it was measured on.

    `file_sha256` is the main file that was executed (for a model of several files, see
    `files_sha256`); `against_sha256` names the other file for a comparison. `interval` is a
    95% confidence interval where one was computed. `slice` is "all" or what was looked at.
    """

    metric: str
    value: float
    n: Count
    subject: str
    file_sha256: Sha256
    snapshot_sha256: Sha256
    engine: str
    engine_version: str
    precision: str
    threads: Count
    interval: tuple[float, float] | None = None
    slice: str = "all"
    unit: str = ""
    against_sha256: Sha256 | None = None
    files_sha256: tuple[Sha256, ...] = ()


class EvidenceBook(Struct, frozen=True, forbid_unknown_fields=True):
    """All figures of one proving run: `evidence.json`."""

    schema: Literal["evidence/1"]
    host: Host
    items: tuple[Evidence, ...]


class Lineage(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a model came from."""

    snapshot_sha256: Sha256
    checkpoint_sha256: Sha256
    seed: int
    git_commit: str | None = None
    teacher_sha256: Sha256 | None = None
    mlflow_run: str | None = None
    recipe: dict[str, str | int | float | bool | None] = {}


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a model: everything that a branch needs to fetch, check and run it.

    `page` and `bom` are for people and auditors, `outcomes` is what the gate compares with another
    release: no site fetches them. `reference` is what a site compares its own inputs and decisions
    with. Where there is none they are UNSET, not None: so releases from before keep their bytes.
    """

    schema: Literal["release/1"]
    name: Name
    version: Version
    sequence: Count
    task: Task
    labels: tuple[str, ...]
    input: InputSpec
    output: OutputSpec
    operating_point: OperatingPoint
    variants: tuple[Variant, ...]
    golden: Golden
    evidence: FileRef
    lineage: Lineage
    card: FileRef
    outcomes: FileRef | UnsetType = UNSET
    page: FileRef | UnsetType = UNSET
    bom: FileRef | UnsetType = UNSET
    reference: Reference | UnsetType = UNSET

    def files(self) -> dict[str, FileRef]:
        """Every file that the release refers to, by SHA-256."""
        refs = [self.evidence, self.card, *(case.picture for case in self.golden.cases)]
        further = (self.outcomes, self.page, self.bom)
        refs += [ref for ref in further if not isinstance(ref, UnsetType)]
        refs += [ref for variant in self.variants for ref in variant.files.values()]
        return {ref.sha256: ref for ref in refs}

    def variant(self, name: str) -> Variant:
        """The variant called `name`; KeyError if there is none."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)


class Skipped(Struct, frozen=True, forbid_unknown_fields=True):
    """A variant that was not made, and why."""

    name: Name
    reason: str


class VariantSet(Struct, frozen=True, forbid_unknown_fields=True):
    """What compression made of one checkpoint: `variants.json`, beside the files it names."""

    schema: Literal["variants/1"]
    task: Task
    labels: tuple[str, ...]
    input: InputSpec
    output: OutputSpec
    checkpoint_sha256: Sha256
    snapshot_sha256: Sha256
    variants: tuple[Variant, ...]
    skipped: tuple[Skipped, ...] = ()


class Offer(Struct, frozen=True, forbid_unknown_fields=True):
    """A release that a rollout names: what a site may be told to run."""

    sequence: Count
    release: Sha256
    release_path: str


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """Which release of `model` sites should run.

    A site takes part when it is named in `sites`, or when its own bucket
    `H(site‖model‖sequence) mod 16384` lies under `bound`, and no filter (`hardware`, `regions`,
    `only`) leaves it out; see `contract.rings`. Sites that take no part run `base` or keep what
    they have. While `paused`, nobody starts. A release up to `withdrawn` that is neither this one
    nor `base` is taken back from the sites that run it. `floor` is the lowest sequence that a
    site may run at all. `edition` rises with every change that is signed, and `since` (seconds
    since 1970, UTC) is when this one was; `ring` is what people call it.
    """

    schema: Literal["rollout/1"]
    model: Name
    sequence: Count
    release: Sha256
    release_path: str
    bound: Annotated[int, Meta(ge=0, le=16384)]
    sites: tuple[str, ...] = ()
    hardware: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    floor: Count = 0
    only: tuple[str, ...] = ()
    edition: Count = 0
    since: Count = 0
    ring: str = ""
    paused: bool = False
    withdrawn: Count = 0
    base: Offer | None = None

    @property
    def offer(self) -> Offer:
        """The release that this rollout brings to those who take part."""
        return Offer(self.sequence, self.release, self.release_path)

    @property
    def known(self) -> int:
        """The highest sequence that this rollout speaks of: no site should have seen a higher."""
        return max(self.sequence, self.withdrawn)


def schema_of(kind: type[Struct]) -> dict[str, object]:
    """The JSON Schema of a contract document, for `docs/formats/`."""
    return msgspec.json.schema(kind)
