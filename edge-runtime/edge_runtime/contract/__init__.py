"""The contract between factory and branch: what is written and what is read cannot drift apart.

Owned by the runtime, imported by the factory. Every document names its schema and version,
is parsed once, and is refused when it has a key that the schema does not know.
"""

from edge_runtime.contract.bench import BenchResult
from edge_runtime.contract.block import Block, BlockedRelease
from edge_runtime.contract.codec import decode, digest, encode, file_digest, read
from edge_runtime.contract.decisions import Outputs, decide, disagreement, iou_matrix
from edge_runtime.contract.events import Event, LineCrossed, RunReport, VoucherRead
from edge_runtime.contract.patches import Patch, Patches
from edge_runtime.contract.preprocess import Placement, placement, preprocess
from edge_runtime.contract.release import (
    Decisions,
    Engine,
    Evidence,
    EvidenceBook,
    FileRef,
    Golden,
    GoldenCase,
    Host,
    InputSpec,
    Lineage,
    Offer,
    OperatingPoint,
    OutputSpec,
    Precision,
    Release,
    Rollout,
    Skipped,
    Task,
    Tolerance,
    Variant,
    VariantSet,
    schema_of,
)
from edge_runtime.contract.reports import Device, Report, ReportSignature, SignedReport
from edge_runtime.contract.rings import bucket, offered, takes_part
from edge_runtime.contract.signals import (
    Audio,
    Features,
    Signal,
    audio_picture,
    features_picture,
)
from edge_runtime.contract.tensorrt import (
    RECIPE_FILE,
    Flavour,
    GoldenResult,
    Shapes,
    TensorrtAttestation,
    TensorrtBuild,
)

__all__ = [
    "RECIPE_FILE",
    "Audio",
    "BenchResult",
    "Block",
    "BlockedRelease",
    "Decisions",
    "Device",
    "Engine",
    "Event",
    "Evidence",
    "EvidenceBook",
    "Features",
    "FileRef",
    "Flavour",
    "Golden",
    "GoldenCase",
    "GoldenResult",
    "Host",
    "InputSpec",
    "LineCrossed",
    "Lineage",
    "Offer",
    "OperatingPoint",
    "OutputSpec",
    "Outputs",
    "Patch",
    "Patches",
    "Placement",
    "Precision",
    "Release",
    "Report",
    "ReportSignature",
    "Rollout",
    "RunReport",
    "Shapes",
    "Signal",
    "SignedReport",
    "Skipped",
    "Task",
    "TensorrtAttestation",
    "TensorrtBuild",
    "Tolerance",
    "Variant",
    "VariantSet",
    "VoucherRead",
    "audio_picture",
    "bucket",
    "decide",
    "decode",
    "digest",
    "disagreement",
    "encode",
    "features_picture",
    "file_digest",
    "iou_matrix",
    "offered",
    "placement",
    "preprocess",
    "read",
    "schema_of",
    "takes_part",
]
