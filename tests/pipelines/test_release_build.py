"""`release build`: of named folders, the same to the byte wherever and whenever, with its page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from edge_runtime.contract import Decisions, EvidenceBook, Golden, Release, read
from edgefactory.datasets.errors import TrustError
from edgefactory.pipelines.cardpage import make_page
from edgefactory.pipelines.cli import main
from edgefactory.registry import ReleaseSettings, Sources, build_release

from .report.conftest import build_detection, write

SETTINGS = "name: door-person\nversion: 1.2.3\nsequence: 7\nsummary: Sees people at a door.\n"
# A clock that stands in another year, for whatever asks Python for the time.
ANOTHER_YEAR = (
    "import sys, time; time.time = lambda: 1e9; time.time_ns = lambda: 10**18; "
    "from edgefactory.pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
)


def arguments(folder: Path) -> list[str]:
    return [
        "release", "build",
        "--variants", str(folder / "variants"),
        "--evidence", str(folder / "evidence"),
        "--checkpoint", str(folder / "checkpoint"),
        "--data", str(folder / "snapshot"),
        "--settings", str(folder / "settings.yaml"),
        "--out", str(folder / "out"),
    ]  # fmt: skip


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """What the stages up to `prove` leave, and settings; no workspace."""
    folder = build_detection(tmp_path / "here")
    (folder / "params.yaml").unlink(missing_ok=True)
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder


def page_of(folder: Path, release: Release) -> str:
    assert release.page is not UNSET
    return (folder / "blobs" / release.page.sha256).read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_place_time_user_and_locale_give_the_same_bytes(
    folders: Path, tmp_path: Path
) -> None:
    elsewhere = shutil.copytree(folders, tmp_path / "far" / "away")
    for path in elsewhere.rglob("*"):
        os.utime(path, (0, 0))
    base = {k: v for k, v in os.environ.items() if not k.startswith("LC_")}
    here = base | {"TZ": "UTC", "LC_ALL": "C.UTF-8", "USER": "anna", "PYTHONHASHSEED": "1"}
    there = base | {"TZ": "Asia/Kolkata", "LC_ALL": "C", "USER": "ben", "PYTHONHASHSEED": "2"}
    for folder, environment in ((folders, here), (elsewhere, there)):
        plain = [str(Path(sys.executable).with_name("edgefactory"))]
        command = [sys.executable, "-c", ANOTHER_YEAR] if folder is elsewhere else plain
        done = subprocess.run(
            [*command, *arguments(folder)],
            cwd=folder,
            env=environment | {"HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    made = contents(folders / "out")
    assert made == contents(elsewhere / "out")
    assert len(made) > 5


def test_it_says_what_the_settings_say(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments(folders)) == 0
    release = read(folders / "out" / "release.json", Release)
    assert (release.name, release.version, release.sequence) == ("door-person", "1.2.3", 7)


def test_a_folder_that_is_not_named_is_asked_for_and_no_workspace_is(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders)
    assert main(arguments(folders)[:-2]) == 2
    assert "needs --out as well" in capsys.readouterr().err


def test_an_unknown_setting_is_refused_with_the_nearest_right_one(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders / "settings.yaml").write_text("sequnce: 3\n")
    assert main(arguments(folders)) == 2
    assert "did you mean 'sequence'?" in capsys.readouterr().err


def test_settings_that_are_a_list_are_refused(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders / "settings.yaml").write_text("- name\n")
    assert main(arguments(folders)) == 2
    assert "must hold keys" in capsys.readouterr().err


def sources(folder: Path) -> Sources:
    names = ("variants", "evidence", "checkpoint", "snapshot")
    return Sources(*(folder / name for name in names))


def test_the_page_needs_nothing_beside_itself_and_shows_what_the_model_decides(
    folders: Path,
) -> None:
    path = folders / "evidence" / "golden" / "golden.json"
    golden = read(path, Golden)
    sure, unsure = (40.0, 50.0, 80.0, 160.0), (200.0, 50.0, 240.0, 160.0)
    decided = Decisions((0, 0), (0.9, 0.1), (sure, unsure))
    cases = (
        msgspec.structs.replace(case, expected=dict.fromkeys(case.expected, decided))
        for case in golden.cases
    )
    write(path, msgspec.structs.replace(golden, cases=tuple(cases)))
    built = build_release(ReleaseSettings(), sources(folders), folders / "out", make_page)
    page = page_of(folders / "out", built.release)
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    assert page.count('class="box hit"') == 1
    assert "1 found" in page
    for text in ("Its limits", "Apache-2.0", "AP50", built.release.lineage.snapshot_sha256):
        assert text in page


def test_training_s_own_picture_is_shown_where_there_is_one(folders: Path) -> None:
    plain = build_release(ReleaseSettings(), sources(folders), folders / "out", make_page)
    picture = next((folders / "evidence" / "golden").glob("*.png"))
    shutil.copy(picture, folders / "checkpoint" / "predictions.png")
    shown = build_release(ReleaseSettings(), sources(folders), folders / "out2", make_page)
    assert "Made at the end of training" not in page_of(folders / "out", plain.release)
    assert "Made at the end of training" in page_of(folders / "out2", shown.release)


def test_figures_of_parts_of_the_pictures_stand_in_both_cards(folders: Path) -> None:
    path = folders / "evidence" / "evidence.json"
    book = read(path, EvidenceBook)
    night = [
        msgspec.structs.replace(item, slice=part, value=value, interval=(0.4, 0.6))
        for part, value in (("size:small", 0.45), ("source:yard", 0.5), ("night", 0.5))
        for item in book.items
        if item.metric == "ap50"
    ]
    write(path, msgspec.structs.replace(book, items=(*book.items, *night)))
    built = build_release(ReleaseSettings(), sources(folders), folders / "out", make_page)
    card = (folders / "out" / "blobs" / built.release.card.sha256).read_text()
    lines = [
        line.partition(" |")[0] for line in card.splitlines() if "| onnx-int8 | onnxruntime" in line
    ]
    assert lines[1:] == ["| size small", "| camera yard", "| night"]
    assert "| camera yard | onnx-int8 | onnxruntime | int8 | 0.5 [0.4, 0.6] |" in card
    page = page_of(folders / "out", built.release)
    assert "By part of the pictures" in page
    assert len(re.findall(r"<b>yard</b><span>camera, \d+ pictures</span>", page)) == 1
    assert page.count("<b>night</b>") > 1  # once, and in the table of all variants


def test_what_a_person_wrote_is_text_and_never_markup(folders: Path) -> None:
    settings = ReleaseSettings(summary="<b onclick=x()>best</b>")
    built = build_release(settings, sources(folders), folders / "out", make_page)
    assert "&lt;b onclick=x()&gt;" in page_of(folders / "out", built.release)


def test_a_golden_picture_that_was_exchanged_is_refused(folders: Path) -> None:
    golden = folders / "evidence" / "golden" / "golden.json"
    case = msgspec.json.decode(golden.read_bytes())["cases"][0]["picture"]
    (golden.parent / f"{case['sha256']}.png").write_bytes(b"no picture".ljust(case["bytes"]))
    with pytest.raises(TrustError, match="SHA-256"):
        build_release(ReleaseSettings(), sources(folders), folders / "out", make_page)
