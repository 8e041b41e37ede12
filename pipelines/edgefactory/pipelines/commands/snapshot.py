"""Fix footage and labels as a data set that is checked, split by time, and named by digest.

Reads the section `snapshot`; writes snapshot/. Held-out pictures carry the human truth where
there is one.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "fix footage and labels as a versioned data set"
STAGE: str | None = "snapshot"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """footage/, labels/ and input/truth -> snapshot/."""
    from edgefactory.datasets import SnapshotSettings, build_snapshot, snapshot_digest
    from edgefactory.pipelines.inputs import source_file
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    section = read_params(workspace.params)["snapshot"]
    given = {"truth": source_file(workspace.truth)}
    wanted = settings(section, SnapshotSettings, "params.yaml: snapshot", given)
    screen.progress(0, 0, "checking and copying pictures")
    snapshot = build_snapshot(
        wanted,
        workspace.require("footage", "edgefactory data ingest"),
        workspace.require("labels", "edgefactory data label"),
        workspace / "snapshot",
    )
    digest = snapshot_digest(workspace / "snapshot")
    counts = {name: len(snapshot.split(name)) for name in ("train", "val", "test")}
    return Outcome(
        f"{digest[:12]}: {counts['train']} train, {counts['val']} val, {counts['test']} test "
        f"({snapshot.test_labels} labels)",
        {"sha256": digest, "test_labels": snapshot.test_labels, **counts},
    )
