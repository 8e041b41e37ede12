"""Building TensorRT engines: by the factory for cards it does not have, by a box for its own."""

from edge_runtime.building.engine import Built, build, int8_share, shortfall
from edge_runtime.building.flavours import FLAVOURS, tensorrt, unavailable, version
from edge_runtime.building.kept import ENGINE_FILE, Device, kept_engine, note_golden

__all__ = [
    "ENGINE_FILE",
    "FLAVOURS",
    "Built",
    "Device",
    "build",
    "int8_share",
    "kept_engine",
    "note_golden",
    "shortfall",
    "tensorrt",
    "unavailable",
    "version",
]
