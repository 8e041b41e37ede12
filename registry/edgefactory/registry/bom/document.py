"""The parts of CycloneDX 1.6 that we write, as structs; what has its default is left out.

The names and their meaning are those of the specification (ECMA-424, JSON form). A test holds what
is written to its official schema.
"""

from typing import Literal

from msgspec import Struct

MachineLearning = Literal["machine-learning-model"]
Kind = Literal["machine-learning-model", "data", "library", "application", "file"]


class Named(Struct, frozen=True, omit_defaults=True):
    """A licence: `id` is one of SPDX's, `name` what has none."""

    id: str = ""
    name: str = ""


class LicenceChoice(Struct, frozen=True, omit_defaults=True):
    """One licence, or an SPDX expression of several."""

    license: Named | None = None
    expression: str = ""


class Hash(Struct, frozen=True):
    """The SHA-256 of a component's bytes."""

    content: str
    alg: Literal["SHA-256"] = "SHA-256"


class Property(Struct, frozen=True):
    """A fact that the specification has no place for."""

    name: str
    value: str


class Commit(Struct, frozen=True):
    """The state of the code, in git."""

    uid: str


class Pedigree(Struct, frozen=True, omit_defaults=True):
    """What a component was made from, where that is code, and what to know about it."""

    commits: tuple[Commit, ...] = ()
    notes: str = ""


class DataSet(Struct, frozen=True, omit_defaults=True):
    """What a component of type `data` is."""

    type: Literal["dataset"]
    name: str = ""
    description: str = ""


class Ref(Struct, frozen=True):
    """Names another component by its `bom-ref`."""

    ref: str


class Format(Struct, frozen=True):
    """The form of an input or output of the model."""

    format: str


class Parameters(Struct, frozen=True, omit_defaults=True):
    """What the model does, from what, into what."""

    task: str
    datasets: tuple[Ref, ...] = ()
    inputs: tuple[Format, ...] = ()
    outputs: tuple[Format, ...] = ()


class Bounds(Struct, frozen=True, rename="camel"):
    """A 95% confidence interval."""

    lower_bound: str
    upper_bound: str


class Metric(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One figure; `slice` is left out for all pictures."""

    type: str
    value: str
    slice: str = ""
    confidence_interval: Bounds | None = None


class Analysis(Struct, frozen=True, rename="camel"):
    """The figures of one variant."""

    performance_metrics: tuple[Metric, ...]


class Considerations(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What the model is for, and what it is not."""

    use_cases: tuple[str, ...] = ()
    technical_limitations: tuple[str, ...] = ()


class ModelCard(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What a component of type `machine-learning-model` says of itself."""

    model_parameters: Parameters | None = None
    quantitative_analysis: Analysis | None = None
    considerations: Considerations | None = None


class Component(
    Struct,
    frozen=True,
    omit_defaults=True,
    rename={"bom_ref": "bom-ref", "model_card": "modelCard"},
):
    """Something that the model is, or is made of."""

    type: Kind
    name: str
    bom_ref: str = ""
    version: str = ""
    description: str = ""
    hashes: tuple[Hash, ...] = ()
    licenses: tuple[LicenceChoice, ...] = ()
    purl: str = ""
    pedigree: Pedigree | None = None
    components: tuple["Component", ...] = ()
    properties: tuple[Property, ...] = ()
    model_card: ModelCard | None = None
    data: tuple[DataSet, ...] = ()


class Tools(Struct, frozen=True):
    """What wrote the document."""

    components: tuple[Component, ...]


class Metadata(Struct, frozen=True):
    """What the document is about. There is no timestamp: the same inputs give the same bytes."""

    tools: Tools
    component: Component


class Dependency(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What a component was made from, or needs."""

    ref: str
    depends_on: tuple[str, ...] = ()


class Bom(Struct, frozen=True, rename="camel"):
    """The document; `serial_number` is a UUID as a URN, drawn from the content."""

    bom_format: Literal["CycloneDX"]
    spec_version: Literal["1.6"]
    serial_number: str
    version: int
    metadata: Metadata
    components: tuple[Component, ...]
    dependencies: tuple[Dependency, ...]
