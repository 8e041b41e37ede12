"""What this box believes, and why: signed metadata, high-water marks, verified blobs.

Whatever asks a server stands in a module of its own (`http`, `origin`, `blobs`, `patching`,
`metadata`): `urllib3` and `tuf` take 0.1 s and 30 MB, which a process that only runs a model does
not need.
"""

from edge_runtime.trust.highwater import Marks, ModelMark, RoleMark

__all__ = ["Marks", "ModelMark", "RoleMark"]
