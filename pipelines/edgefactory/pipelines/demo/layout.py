"""Lays a workspace out: its stages, its parameters, its policy, and DVC's own folder.

What a user has edited in an existing workspace stays, but for what this call asks for.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from edge_runtime.contract import file_digest
from edgefactory.datasets import fetch_clip, fetch_teacher, shipped_truth
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.inputs import RECORD, SourceSettings, read_source
from edgefactory.pipelines.params import read_params, settings
from edgefactory.pipelines.screen import ProgressCallback
from edgefactory.pipelines.workspace import (
    MARK,
    Workspace,
    claim_workspace,
    read_mark,
    write_atomically,
)
from edgefactory.registry import ReleaseSettings, example_policy

Line = Literal["cctv", "digits"]

DVC_CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
    autostage = false
"""
NO_TRUTH_POLICY = "unlabelled.yaml"


@dataclass(frozen=True)
class Wishes:
    """What the caller asks of the demo; None leaves it as it is, or to the line's default.

    `count_line` is x0, y0, x1, y1 in pixels of the video.
    """

    line: Line | None = None
    video: Path | None = None
    truth: Path | None = None
    teacher: Path | None = None
    count_line: tuple[int, int, int, int] | None = None

    @property
    def own_sources(self) -> bool:
        """Whether any of the footage line's sources is the caller's own."""
        return any((self.video, self.truth, self.teacher, self.count_line))


def choose_line(wishes: Wishes, root: Path, progress: ProgressCallback) -> tuple[Line, str]:
    """The line to run, and why it is another one than wished ("" where it is not).

    An existing workspace keeps its line. The footage line needs a clip and a teacher; when
    neither cache nor network has them, and the caller asked for nothing of his own, the
    embedded line takes its place.
    """
    mark = root / ".edgefactory" / MARK
    kept = read_mark(mark) if mark.is_file() else None
    wanted = wishes.line or kept or "cctv"
    if wanted not in ("cctv", "digits"):
        raise InputError(f"{mark} names the line {wanted!r}, which there is none of")
    if wanted == "digits":
        if wishes.own_sources:
            raise InputError("--video, --truth, --teacher and --count-line belong to --line cctv")
        return "digits", ""
    if _has_sources(Workspace(root)):
        return "cctv", ""
    try:
        if wishes.video is None:
            progress(0, 2, "fetching the clip")
            fetch_clip()
        if wishes.teacher is None:
            progress(1, 2, "fetching the teacher")
            fetch_teacher()
    except MissingError as error:
        if wishes.line == "cctv" or wishes.own_sources or kept == "cctv":
            raise
        return "digits", str(error)
    return "cctv", ""


def lay_out(wishes: Wishes, line: Line, root: Path) -> Workspace:
    """Make `root` a workspace of `line` with everything that the stages read.

    Raises InputError when the folder holds something else, StorageError when it cannot be
    written.
    """
    workspace = claim_workspace(root, line)
    packaged = _packaged("dvc.yaml").read_text(encoding="utf-8")
    _write_if_other(workspace / "dvc.yaml", packaged)
    (workspace / ".dvc" / "tmp").mkdir(parents=True, exist_ok=True)
    _write_if_other(workspace / ".dvc" / "config", DVC_CONFIG)
    _write_if_other(workspace / ".dvcignore", "/.edgefactory\n/keys\n")
    _write_params(wishes, line, workspace)
    _write_policy(line, workspace)
    return workspace


def _write_params(wishes: Wishes, line: Line, workspace: Workspace) -> None:
    path = workspace.params
    if not path.exists():
        packaged = _packaged("params.yaml" if line == "cctv" else "digits.yaml")
        write_atomically(path, packaged.read_text(encoding="utf-8"))
    found: dict[str, dict[str, object]] = {k: dict(v) for k, v in read_params(path).items()}
    before = yaml.safe_dump(found, sort_keys=False)
    asked = {"video": wishes.video, "truth": wishes.truth, "teacher": wishes.teacher}
    found["source"].update({name: str(file) for name, file in asked.items() if file})
    if wishes.count_line:
        found["branch"]["line"] = list(wishes.count_line)
    if wishes.video or wishes.teacher:
        found["release"]["licences"] = _licences(wishes)
    after = yaml.safe_dump(found, sort_keys=False)
    if after != before:
        write_atomically(path, after)


def _licences(wishes: Wishes) -> list[dict[str, str]]:
    """What a release says of its sources, where one of them is the user's own."""
    footage, teacher = msgspec.to_builtins(ReleaseSettings().licences)
    own = {"licence": "not stated", "source": "given by the user"}
    return [
        {"what": f"footage {wishes.video.name}", **own} if wishes.video else footage,
        {"what": f"teacher {wishes.teacher.name}", **own, "kind": "weights"}
        if wishes.teacher
        else teacher,
    ]


def _write_policy(line: Line, workspace: Workspace) -> None:
    """The policy that fits line and truth, unless the user has made it his own."""
    path = workspace / "policy.yaml"
    unlabelled = _packaged(NO_TRUTH_POLICY)
    wanted = unlabelled if _without_truth(workspace) else example_policy(line)
    shipped = {file.read_bytes() for file in (unlabelled, example_policy(line))}
    if not path.exists() or path.read_bytes() in shipped - {wanted.read_bytes()}:
        shutil.copyfile(wanted, path)


def _without_truth(workspace: Workspace) -> bool:
    source = settings(
        read_params(workspace.params)["source"], SourceSettings, "params.yaml: source"
    )
    if source.video is None or source.truth is not None:
        return False
    video = workspace.root / source.video
    return not video.is_file() or shipped_truth(file_digest(video)) is None


def _packaged(name: str) -> Path:
    """A file of the line: from the checkout where this is one, else from the package."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "line", here.parents[2]):
        if (folder / name).is_file() and (folder == here / "line" or _is_checkout(folder)):
            return folder / name
    raise MissingError(f"the line's {name} is not installed; install edgefactory again")


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() and (folder / "pipelines").is_dir()


def _has_sources(workspace: Workspace) -> bool:
    folders = (workspace.clip, workspace.teacher)
    if not all((folder / RECORD).is_file() for folder in folders):
        return False
    return all(read_source(folder).file is not None for folder in folders)


def _write_if_other(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text)
