"""What is wrong with a snapshot: duplicates, leaks, doubtful labels and boxes, bad pictures.

`check_data` looks for all of it; `check_manifest` for what the manifest alone tells.
"""

from edgefactory.datasets.checks.check import check_data, check_manifest
from edgefactory.datasets.checks.findings import KINDS, CheckReport, Finding, Kind, read_check
from edgefactory.datasets.checks.table import Table, tabulate

__all__ = [
    "KINDS",
    "CheckReport",
    "Finding",
    "Kind",
    "Table",
    "check_data",
    "check_manifest",
    "read_check",
    "tabulate",
]
