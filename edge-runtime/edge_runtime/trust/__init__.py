"""What this box believes, and why: signed metadata, high-water marks, verified blobs.

`metadata` needs `tuf` (about 0.1 s to import) and is therefore not imported here.
"""

from edge_runtime.trust.blobs import fetch_blob
from edge_runtime.trust.highwater import Marks, ModelMark, RoleMark
from edge_runtime.trust.http import Http
from edge_runtime.trust.origin import Origin
from edge_runtime.trust.patching import fetch_by_patch

__all__ = ["Http", "Marks", "ModelMark", "Origin", "RoleMark", "fetch_blob", "fetch_by_patch"]
