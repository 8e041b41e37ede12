"""How a TensorRT engine is built on the device that will run it, and what the device attests."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from edge_runtime.contract.release import Count, Sha256, Share, Version

RECIPE_FILE: Final = "build.json"
"""The file of a variant that says how its device builds the engine; the variant's main file is the
portable ONNX model."""

Flavour = Literal["tensorrt", "tensorrt-rtx"]
Shape = tuple[Annotated[int, Meta(ge=1)], ...]


class Shapes(Struct, frozen=True, forbid_unknown_fields=True):
    """The shapes [N,H,W,3] of the one input that an engine takes, and the one it is best at."""

    smallest: Shape
    best: Shape
    largest: Shape


class TensorrtBuild(Struct, frozen=True, forbid_unknown_fields=True):
    """A build recipe, `build.json` beside the portable ONNX model that it is for.

    Types are those of the graph's Q/DQ pairs (TensorRT's strongly typed networks). `convolutions`
    is how many the graph has; of those at least `int8_share` must read INT8 data by the builder's
    own account, else the engine is not used. `workspace_bytes`: the most that one layer may take
    while it runs, 0 for TensorRT's own limit. `timing_cache`: whether what the builder has measured
    is kept beside the engine, so that a rebuild is quick and chooses the same kernels;
    TensorRT-RTX, which measures nothing while it builds, has none.
    """

    schema: Literal["tensorrt-build/1"]
    flavour: Flavour
    minimum_version: Version
    source_sha256: Sha256
    convolutions: Count
    int8_share: Share
    shapes: Shapes | None = None
    optimization_level: Annotated[int, Meta(ge=0, le=5)] = 3
    workspace_bytes: Count = 0
    timing_cache: bool = False


class GoldenResult(Struct, frozen=True, forbid_unknown_fields=True):
    """What the golden self-test said of an engine: over `cases` pictures, `difference` is the first
    one, empty when it decides as it should."""

    cases: Count
    passed: bool
    difference: str = ""


class TensorrtAttestation(Struct, frozen=True, forbid_unknown_fields=True):
    """What a device says of an engine that it built: `<engine>.json` beside it.

    `device` is the compute capability ("sm87"); `float_convolutions` names those that do not read
    INT8 data. `golden` is null until the self-test has run.
    """

    schema: Literal["tensorrt-attestation/1"]
    engine_sha256: Sha256
    recipe_sha256: Sha256
    source_sha256: Sha256
    device: str
    flavour: Flavour
    version: str
    system: str
    convolutions: Count
    int8_convolutions: Count
    float_convolutions: tuple[str, ...]
    build_seconds: Annotated[float, Meta(ge=0)]
    golden: GoldenResult | None = None
