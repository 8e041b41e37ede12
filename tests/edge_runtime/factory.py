"""The factory's own registry, behind a real web server."""

from pathlib import Path

from edge_runtime.contract import digest
from edgefactory.registry import (
    Finding,
    RolloutSettings,
    Verdict,
    create_keys,
    init_repository,
    publish,
    write_verdict,
)

from .models import Built
from .serving import Server


class Registry:
    """The factory's registry behind `server`, with real keys and thresholds."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.published, self.keys = server.folder, folder / "keys"
        create_keys(self.keys)
        self.root = init_repository(self.published, self.keys)
        self._folder = folder

    def publish(self, built: Built, rollout: RolloutSettings | None = None) -> None:
        """Publish `built` as a release that the gate has passed."""
        folder = self._folder / built.release.version
        (folder / "blobs").mkdir(parents=True)
        (folder / "release.json").write_bytes(built.data)
        for sha256, data in built.blobs.items():
            (folder / "blobs" / sha256).write_bytes(data)
        finding = Finding("bound_to_bytes", "release", None, "every file", True)
        verdict = Verdict("verdict/1", digest(built.data), "0" * 64, True, (finding,))
        write_verdict(verdict, folder / "verdict.json")
        publish(folder, folder / "verdict.json", self.keys, self.published, rollout)
