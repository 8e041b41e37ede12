"""Put variants, evidence, golden samples and lineage together as one release.

`release build --variants DIR --evidence DIR --checkpoint DIR --data SNAP --settings FILE --out DIR`
takes what stands in these folders; FILE (YAML) says what the release is called and says of itself,
as the section `release` of a params.yaml. The same inputs give the same bytes, anywhere and ever.

Without these options it is the stage of a line: the workspace's own folders become release/, by the
section `release`. Without `version` and `sequence` there, the newest published number is kept while
the release is the same to the byte, else the next one is taken.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size
from edgefactory.pipelines.signing import KEY_HELP, key_of, line_signer

if TYPE_CHECKING:
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import Built, ReleaseSettings

HELP = "put one release together"
STAGE: str | None = "release"

NAMED = ("variants", "evidence", "checkpoint", "data", "settings", "out")


def options(parser: ArgumentParser) -> None:
    """The folders, where they are not a workspace's."""
    parser.add_argument("--variants", metavar="DIR", help="what `compress` made")
    parser.add_argument("--evidence", metavar="DIR", help="what `prove` measured")
    parser.add_argument("--checkpoint", metavar="DIR", help="what `train` made")
    parser.add_argument("--data", metavar="SNAP", help="the snapshot that it learned from")
    parser.add_argument("--settings", metavar="FILE", help="name, version, limits, licences: YAML")
    parser.add_argument("--out", metavar="DIR", help="the folder of the release")
    parser.add_argument("--key", metavar="KEY", help=f"attest training and evaluation: {KEY_HELP}")


def is_named(args: Namespace) -> bool:
    """Whether folders are named, so that no workspace is needed."""
    return any(getattr(args, name) is not None for name in NAMED)


def run(args: Namespace, screen: Screen) -> Outcome:
    """variants/, evidence/, checkpoint/, snapshot/ -> release/."""
    screen.progress(0, 0, "hashing and copying")
    named = is_named(args)
    built = _of_folders(args) if named else _of_workspace(args.workspace)
    _attest(args, screen, named)
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


def _attest(args: Namespace, screen: Screen, named: bool) -> None:
    from edgefactory.datasets.errors import InputError
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import attest_release

    if named:
        if args.key is not None:
            attest_release(Path(args.out), key_of(args))
        return
    if args.key is not None:
        raise InputError("--key goes with named folders; a workspace has its keys/")
    workspace = Workspace(args.workspace)
    signer = line_signer(workspace, screen.note)
    if signer is not None:
        attest_release(workspace / "release", signer)


def _of_folders(args: Namespace) -> "Built":
    from edgefactory.datasets.errors import InputError
    from edgefactory.pipelines.cardpage import make_page
    from edgefactory.pipelines.params import read_section, settings
    from edgefactory.registry import ReleaseSettings, Sources, build_release

    missing = [f"--{name}" for name in NAMED if getattr(args, name) is None]
    if missing:
        raise InputError(f"release build of named folders needs {', '.join(missing)} as well")
    file = Path(args.settings)
    wanted = settings(read_section(file), ReleaseSettings, str(file))
    folders = (args.variants, args.evidence, args.checkpoint, args.data)
    return build_release(wanted, Sources(*map(Path, folders)), Path(args.out), make_page)


def _of_workspace(root: Path) -> "Built":
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import ReleaseSettings

    workspace = Workspace(root)
    section = read_params(workspace.params)["release"]
    wanted = settings(section, ReleaseSettings, "params.yaml: release")
    numbered = "version" in section or "sequence" in section
    return _build(wanted, workspace) if numbered else _build_next(wanted, workspace)


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
    from edgefactory.pipelines.cardpage import make_page
    from edgefactory.registry import Sources, build_release

    sources = Sources(
        workspace.require("variants", "edgefactory compress"),
        workspace.require("evidence", "edgefactory prove"),
        workspace.require("checkpoint", "edgefactory train"),
        workspace.require("snapshot", "edgefactory data snapshot"),
    )
    return build_release(wanted, sources, workspace / "release", make_page)
