"""Footage and foreign annotations in, snapshots out: versioned, checked, split, with provenance.

Three stages, each a function from files to files: `ingest`, `label`, `build_snapshot`.
"""

from edgefactory.datasets.documents import (
    Box,
    Clip,
    Crossing,
    Footage,
    FrameLabels,
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
    fetch_teacher,
)
from edgefactory.datasets.ingest import IngestSettings, ingest
from edgefactory.datasets.label_studio import (
    export_tasks,
    import_annotations,
    labelling_config,
)
from edgefactory.datasets.labelling import LabelSettings, label
from edgefactory.datasets.snapshot import (
    SnapshotSettings,
    build_snapshot,
    load_picture,
    read_snapshot,
    snapshot_digest,
)
from edgefactory.datasets.teacher import (
    Detections,
    Teacher,
    TeacherSettings,
    TiledTeacher,
    native_precision,
)

__all__ = [
    "CLIP_SHA256",
    "Box",
    "Clip",
    "Crossing",
    "Detections",
    "Footage",
    "FrameLabels",
    "IngestSettings",
    "Item",
    "Label",
    "LabelSettings",
    "Labels",
    "Line",
    "Picture",
    "Progress",
    "Snapshot",
    "SnapshotSettings",
    "Split",
    "Teacher",
    "TeacherSettings",
    "TiledTeacher",
    "TrueBox",
    "TrueFrame",
    "Truth",
    "Voucher",
    "build_snapshot",
    "default_cache",
    "export_tasks",
    "fetch_clip",
    "fetch_teacher",
    "import_annotations",
    "ingest",
    "label",
    "labelling_config",
    "load_picture",
    "native_precision",
    "read_footage",
    "read_labels",
    "read_snapshot",
    "read_truth",
    "shipped_truth",
    "snapshot_digest",
]
