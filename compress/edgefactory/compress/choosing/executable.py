"""A model as an engine is given it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.contract import Engine, FileRef, Precision, digest


@dataclass(frozen=True)
class Executable:
    """Its files by name, the one that the engine opens, and what executes it."""

    files: Mapping[str, bytes]
    main: str
    engine: Engine
    precision: Precision

    def refs(self) -> dict[str, FileRef]:
        """The files by their content."""
        return {n: FileRef(sha256=digest(c), bytes=len(c)) for n, c in self.files.items()}
