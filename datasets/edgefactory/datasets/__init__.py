"""Footage and foreign annotations in, snapshots out: versioned, checked, split, with provenance.

Three stages, each a function from files to files: `ingest`, `label`, `build_snapshot`.
"""

from edgefactory.datasets.asking import Question, Questions
from edgefactory.datasets.auto_labelling import AutoLabelled, AutoLabelSettings, auto_label
from edgefactory.datasets.checks import CheckReport, Finding
from edgefactory.datasets.comparing import Difference, compare
from edgefactory.datasets.documents import (
    Box,
    Clip,
    Crossing,
    ErrorBound,
    Footage,
    FrameLabels,
    Header,
    Item,
    Label,
    Labels,
    Line,
    Picture,
    Progress,
    Snapshot,
    Split,
    TrueBox,
    TrueFrame,
    Truth,
    Voucher,
    read_footage,
    read_labels,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.fetching import (
    CLIP_SHA256,
    default_cache,
    fetch_clip,
    fetch_face_clip,
    fetch_teacher,
)
from edgefactory.datasets.formats import Export
from edgefactory.datasets.ingest import IngestSettings, ingest
from edgefactory.datasets.labelling import LabelSettings, label
from edgefactory.datasets.manifest import (
    header_of,
    read_header,
    read_manifest,
    snapshot_digest,
    stream_items,
    write_manifest,
)
from edgefactory.datasets.merging import MergeSettings, merge, merged
from edgefactory.datasets.remapping import class_map, remap
from edgefactory.datasets.sequence_sets import fetch_sequences, sequence_rate
from edgefactory.datasets.snapshot import (
    SnapshotSettings,
    build_snapshot,
    load_picture,
    read_snapshot,
    require_splits,
)
from edgefactory.datasets.splitting import SplitSettings, divided, split
from edgefactory.datasets.statistics import Statistics, statistics
from edgefactory.datasets.teacher import (
    TeacherSettings,
    TiledTeacher,
    native_precision,
)
from edgefactory.datasets.tracks import TrackSettings
from edgefactory.datasets.verdicts import VerdictSettings

__all__ = [
    "CLIP_SHA256",
    "AutoLabelSettings",
    "AutoLabelled",
    "Box",
    "CheckReport",
    "Clip",
    "Crossing",
    "Difference",
    "ErrorBound",
    "Export",
    "Finding",
    "Footage",
    "FrameLabels",
    "Header",
    "IngestSettings",
    "Item",
    "Label",
    "LabelSettings",
    "Labels",
    "Line",
    "MergeSettings",
    "Picture",
    "Progress",
    "Question",
    "Questions",
    "Snapshot",
    "SnapshotSettings",
    "Split",
    "SplitSettings",
    "Statistics",
    "TeacherSettings",
    "TiledTeacher",
    "TrackSettings",
    "TrueBox",
    "TrueFrame",
    "Truth",
    "VerdictSettings",
    "Voucher",
    "auto_label",
    "build_snapshot",
    "class_map",
    "compare",
    "default_cache",
    "divided",
    "fetch_clip",
    "fetch_face_clip",
    "fetch_sequences",
    "fetch_teacher",
    "header_of",
    "ingest",
    "label",
    "load_picture",
    "merge",
    "merged",
    "native_precision",
    "read_footage",
    "read_header",
    "read_labels",
    "read_manifest",
    "read_snapshot",
    "read_truth",
    "remap",
    "require_splits",
    "sequence_rate",
    "shipped_truth",
    "snapshot_digest",
    "split",
    "statistics",
    "stream_items",
    "write_manifest",
]
