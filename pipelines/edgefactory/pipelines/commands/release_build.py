"""Put variants, evidence, golden samples and lineage together as one release: release/.

Reads the section `release`. Without `version` and `sequence` there, the newest published number
is kept while the release is the same to the byte, else the next one is taken.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

if TYPE_CHECKING:
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import Built, ReleaseSettings

HELP = "put one release together"
STAGE: str | None = "release"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """variants/, evidence/, checkpoint/, snapshot/ -> release/."""
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import ReleaseSettings

    workspace = Workspace(args.workspace)
    section = read_params(workspace.params)["release"]
    wanted = settings(section, ReleaseSettings, "params.yaml: release")
    screen.progress(0, 0, "hashing and copying")
    numbered = "version" in section or "sequence" in section
    built = _build(wanted, workspace) if numbered else _build_next(wanted, workspace)
    release = built.release
    for left_out in built.left_out:
        screen.note(f"       not offered: {left_out.name}: {left_out.reason}")
    total = sum(file.bytes for file in release.files().values())
    return Outcome(
        f"{release.name} {release.version}, {len(release.variants)} variants, {size(total)}, "
        f"{built.digest[:12]}",
        {
            "name": release.name,
            "version": release.version,
            "sequence": release.sequence,
            "sha256": built.digest,
            "variants": [variant.name for variant in release.variants],
            "left_out": {skipped.name: skipped.reason for skipped in built.left_out},
        },
    )


def _build_next(wanted: "ReleaseSettings", workspace: "Workspace") -> "Built":
    from msgspec.structs import replace

    from edge_runtime.contract import file_digest
    from edgefactory.pipelines.numbering import FIRST, newest

    number = newest(workspace / "published", wanted.name)
    if number is None:
        return _build(replace(wanted, version=FIRST.version, sequence=FIRST.sequence), workspace)
    built = _build(replace(wanted, version=number.version, sequence=number.sequence), workspace)
    folder = workspace / "published" / "targets" / "releases" / wanted.name / number.version
    if any(file_digest(path) == built.digest for path in folder.glob("*.release.json")):
        return built
    following = number.following()
    return _build(
        replace(wanted, version=following.version, sequence=following.sequence), workspace
    )


def _build(wanted: "ReleaseSettings", workspace: "Workspace") -> "Built":
    from edgefactory.registry import build_release

    return build_release(
        wanted,
        workspace.require("variants", "edgefactory compress"),
        workspace.require("evidence", "edgefactory prove"),
        workspace.require("checkpoint", "edgefactory train"),
        workspace.require("snapshot", "edgefactory data snapshot"),
        workspace / "release",
    )
