"""Versions of snapshots in DVC's own storage: pushed, listed, pulled; readable by stock DVC."""

from edgefactory.datasets.versions.pulling import find_version, pull
from edgefactory.datasets.versions.pushing import Pushed, push, write_dvc_file
from edgefactory.datasets.versions.records import Record, Version
from edgefactory.datasets.versions.store import Store, default_store, open_store

__all__ = [
    "Pushed",
    "Record",
    "Store",
    "Version",
    "default_store",
    "find_version",
    "open_store",
    "pull",
    "push",
    "write_dvc_file",
]
