"""One branch from nothing: enroll, pull, verify, self-test, run the held-out part.

The published tree is served on 127.0.0.1; the branch is `edge-runtime` in its own environment,
as processes of its own, and knows nothing but a URL and the root of trust.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.contract import Release, read
from edgefactory.datasets import (
    Footage,
    read_footage,
    read_snapshot,
    read_truth,
)
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.pipelines.branch.edge import Edge
from edgefactory.pipelines.branch.environment import probe
from edgefactory.pipelines.inputs import source_file
from edgefactory.pipelines.screen import ProgressCallback
from edgefactory.pipelines.settings import BranchSettings
from edgefactory.pipelines.workspace import Workspace
from edgefactory.registry import refresh_if_due, serve

MARKER = "install.json"


@dataclass(frozen=True)
class BranchResult:
    """What the branch said: its JSON answers, command by command."""

    once: Mapping[str, Any]
    run: Mapping[str, Any]
    vouchers: tuple[int, int] | None = None  # read without a mistake, of so many


def play(
    settings: BranchSettings, workspace: Workspace, python: Path, progress: ProgressCallback
) -> BranchResult:
    """Play one branch against `published/` and write `branch/`.

    Raises what the branch raised (its exit code and its line), InputError when the port is in
    use or `python` is no slim environment, MissingError when an earlier stage has not run.
    """
    published = workspace.require("published", "edgefactory release publish")
    release = read(
        workspace.require("release", "edgefactory release build") / "release.json", Release
    )
    footage = read_footage(workspace.require("footage", "edgefactory data ingest"))
    installed = probe(python)
    keys = workspace / "keys"
    if keys.is_dir():
        refresh_if_due(keys, published)  # a tree that has lain for days would be refused
    with (
        fresh_folder(workspace / "branch", MARKER) as out,
        serve(published, port=settings.port) as server,
    ):
        edge = _fresh_site(workspace, python)
        root = published / "metadata" / "1.root.json"
        site = ["--site", settings.site]
        site += ["--region", settings.region] if settings.region else []
        edge.call(["enroll", "--url", server.url, "--root", str(root), *site], progress)
        threads = ["--threads", str(settings.threads)]
        once = edge.call(["once", "--model", release.name, *threads], progress)
        tested = edge.call(["selftest", "--model", release.name], progress)
        feed = _feed(settings, workspace, footage, edge.cwd / "vouchers")
        ran = edge.call(
            ["run", "--model", release.name, *feed, "--out", str(out), *threads], progress
        )
        status = edge.call(["status"], progress)
        answers = {"once": once, "selftest": tested, "status": status}
        write_file(out / "status.json", _json(answers))
        write_file(out / MARKER, _json(_described(asdict(installed))))
        truth = source_file(workspace.truth)
        if truth is not None and settings.line is None:
            shutil.copyfile(truth, out / "truth.json")  # what was counted can be compared with it
        vouchers = _vouchers_right(footage, out / "events.jsonl") if footage.vouchers else None
    return BranchResult(once, ran, vouchers)


def _fresh_site(workspace: Workspace, python: Path) -> Edge:
    """A site that has never run anything, its state outside of the line's outputs."""
    folder = workspace.scratch("branch")
    shutil.rmtree(folder)
    (folder / "work").mkdir(parents=True)
    return Edge(python, folder / "state", folder / "work")


def _feed(
    settings: BranchSettings, workspace: Workspace, footage: Footage, vouchers: Path
) -> list[str]:
    """What `edge-runtime run` looks at: the held-out part of the video, or the vouchers."""
    if footage.task == "classification":
        _cut_vouchers(workspace, footage, vouchers)
        return ["--pictures", str(vouchers)]
    clip = source_file(workspace.clip)
    if clip is None:
        raise InputError(f"{workspace.clip} holds no video; run `edgefactory data fetch`")
    line = settings.line or _true_line(workspace) or _middle(footage)
    if max(line[0], line[2]) > footage.width or max(line[1], line[3]) > footage.height:
        raise InputError(
            f"the counting line {line} lies outside of the picture, "
            f"which is {footage.width}x{footage.height}"
        )
    return [
        *("--video", str(clip), "--from-frame", str(footage.held_out_start)),
        *("--line", ",".join(str(value) for value in line)),
    ]


def _true_line(workspace: Workspace) -> tuple[int, int, int, int] | None:
    path = source_file(workspace.truth)
    line = read_truth(path).line if path is not None else None
    if line is None:
        return None
    (x0, y0), (x1, y1) = line.start, line.end
    return round(x0), round(y0), round(x1), round(y1)


def _middle(footage: Footage) -> tuple[int, int, int, int]:
    return footage.width // 2, 0, footage.width // 2, footage.height


def _cut_vouchers(workspace: Workspace, footage: Footage, folder: Path) -> None:
    """The held-out digits as files `<voucher>_<position>.jpg`, the very bytes of the snapshot."""
    snapshot = workspace.require("snapshot", "edgefactory data snapshot")
    items = {item.frame: item for item in read_snapshot(snapshot).split("test")}
    folder.mkdir()
    for voucher in footage.vouchers:
        for position, frame in enumerate(voucher.frames):
            item = items[frame]
            shutil.copyfile(snapshot / item.file, folder / f"{voucher.name}_{position}.jpg")


def _vouchers_right(footage: Footage, events: Path) -> tuple[int, int]:
    wanted = {voucher.name: voucher.digits for voucher in footage.vouchers}
    read_out = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    right = sum(wanted.get(event["voucher"]) == event["digits"] for event in read_out)
    return right, len(wanted)


def _described(installed: dict[str, Any]) -> dict[str, Any]:
    return {
        "python": installed["version"],
        "packages": installed["packages"],
        "bytes": installed["bytes"],
        "torch": False,
    }


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
