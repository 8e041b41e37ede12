"""The contract between factory and branch: what is written and what is read cannot drift apart.

Owned by the runtime, imported by the factory. Every document names its schema and version,
is parsed once, and is refused when it has a key that the schema does not know.

All but releases is loaded when it is first asked for. What computes on pictures needs NumPy: a
process that only reads documents does without those 60 ms.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from edge_runtime.contract.codec import decode, digest, encode, file_digest, read
from edge_runtime.contract.reference import Reference, Said, Saw, Sketch, Together
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
    Provider,
    Release,
    Rollout,
    Skipped,
    Task,
    Tolerance,
    Variant,
    VariantSet,
    schema_of,
)
from edge_runtime.contract.signals import Audio, Features, Signal

if TYPE_CHECKING:
    from edge_runtime.contract.bench import BenchResult
    from edge_runtime.contract.block import Block, BlockedRelease
    from edge_runtime.contract.decisions import (
        Outputs,
        all_finite,
        decide,
        disagreement,
        iou_matrix,
    )
    from edge_runtime.contract.events import Event, LineCrossed, RunReport, VoucherRead
    from edge_runtime.contract.patches import Patch, Patches
    from edge_runtime.contract.preprocessing import Placement, placement, preprocess
    from edge_runtime.contract.reports import Device, Report, ReportSignature, SignedReport
    from edge_runtime.contract.rings import bucket, offered, takes_part
    from edge_runtime.contract.sequences import audio_picture, features_picture
    from edge_runtime.contract.telemetry import Dropped, SignedTelemetry, Telemetry
    from edge_runtime.contract.tensorrt import (
        RECIPE_FILE,
        Flavour,
        GoldenResult,
        Shapes,
        TensorrtAttestation,
        TensorrtBuild,
    )
    from edge_runtime.contract.watch import (
        CameraWatch,
        Fault,
        MachineHealth,
        ModelWatch,
        Route,
        SignalWatch,
        Verdict,
        Watch,
    )

__all__ = [
    "RECIPE_FILE",
    "Audio",
    "BenchResult",
    "Block",
    "BlockedRelease",
    "CameraWatch",
    "Decisions",
    "Device",
    "Dropped",
    "Engine",
    "Event",
    "Evidence",
    "EvidenceBook",
    "Fault",
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
    "MachineHealth",
    "ModelWatch",
    "Offer",
    "OperatingPoint",
    "OutputSpec",
    "Outputs",
    "Patch",
    "Patches",
    "Placement",
    "Precision",
    "Provider",
    "Reference",
    "Release",
    "Report",
    "ReportSignature",
    "Rollout",
    "Route",
    "RunReport",
    "Said",
    "Saw",
    "Shapes",
    "Signal",
    "SignalWatch",
    "SignedReport",
    "SignedTelemetry",
    "Sketch",
    "Skipped",
    "Task",
    "Telemetry",
    "TensorrtAttestation",
    "TensorrtBuild",
    "Together",
    "Tolerance",
    "Variant",
    "VariantSet",
    "Verdict",
    "VoucherRead",
    "Watch",
    "all_finite",
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

_HOMES = {
    "bench": ("BenchResult",),
    "block": ("Block", "BlockedRelease"),
    "decisions": ("Outputs", "all_finite", "decide", "disagreement", "iou_matrix"),
    "events": ("Event", "LineCrossed", "RunReport", "VoucherRead"),
    "patches": ("Patch", "Patches"),
    "preprocessing": ("Placement", "placement", "preprocess"),
    "reports": ("Device", "Report", "ReportSignature", "SignedReport"),
    "rings": ("bucket", "offered", "takes_part"),
    "sequences": ("audio_picture", "features_picture"),
    "telemetry": ("Dropped", "SignedTelemetry", "Telemetry"),
    "tensorrt": (
        "RECIPE_FILE",
        "Flavour",
        "GoldenResult",
        "Shapes",
        "TensorrtAttestation",
        "TensorrtBuild",
    ),
    "watch": (
        "CameraWatch",
        "Fault",
        "MachineHealth",
        "ModelWatch",
        "Route",
        "SignalWatch",
        "Verdict",
        "Watch",
    ),
}


if not TYPE_CHECKING:  # for which any name would be there

    def __getattr__(name: str) -> object:
        for module, names in _HOMES.items():
            if name in names:
                found: object = getattr(import_module(f"edge_runtime.contract.{module}"), name)
                globals()[name] = found
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
