"""Foreign data sets in and out: COCO, YOLO, Pascal VOC, class folders, pictures, Label Studio.

`import_data_set` makes a snapshot of one, `export_data_set` makes one of a snapshot; what a
format has no place for is counted, never dropped without a word.
"""

from collections.abc import Mapping

from edgefactory.datasets.formats import class_folders, coco, picture_folder, voc, yolo
from edgefactory.datasets.formats.exporting import (
    STANDING,
    Export,
    Exported,
    export_data_set,
    planned,
)
from edgefactory.datasets.formats.foreign import ImportSettings
from edgefactory.datasets.formats.importing import Imported, counted, import_data_set
from edgefactory.datasets.formats.label_studio import (
    export_tasks,
    import_annotations,
    labelling_config,
)
from edgefactory.datasets.formats.placing import Form
from edgefactory.datasets.formats.sequences import SequenceSettings, import_sequences
from edgefactory.datasets.formats.signal_file import read_signal
from edgefactory.datasets.formats.video_file import import_video

FORMS: Mapping[str, Form] = {
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "folders": class_folders,
    "pictures": picture_folder,
}
"""The formats that come in and go out, by what the command line calls them."""

__all__ = [
    "FORMS",
    "STANDING",
    "Export",
    "Exported",
    "Form",
    "ImportSettings",
    "Imported",
    "SequenceSettings",
    "counted",
    "export_data_set",
    "export_tasks",
    "import_annotations",
    "import_data_set",
    "import_sequences",
    "import_video",
    "labelling_config",
    "planned",
    "read_signal",
]
