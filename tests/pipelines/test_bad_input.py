"""Bad input at the border: one clear line and a code each, and the workspace can go on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edgefactory.pipelines import main

EDGEFACTORY = Path(sys.executable).with_name("edgefactory")


def _workspace(root: Path, **source: str) -> Path:
    root.mkdir()
    sections: dict[str, dict[str, str]] = {"source": source, "ingest": {}}
    (root / "params.yaml").write_text(yaml.safe_dump(sections))
    return root


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.onnx"
    path.write_bytes(b"not looked at before the teacher is needed")
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"RIFF....AVI not really", "video"), (bytes(5000), "video")],
    ids=["empty", "corrupt", "zeros"],
)
def test_a_video_that_is_none_is_refused_before_any_work(
    tmp_path: Path,
    teacher: Path,
    content: bytes,
    says: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(content)
    root = _workspace(tmp_path / "work", video=str(path), teacher=str(teacher))
    codes = [main(["data", stage, "--workspace", str(root)]) for stage in ("fetch", "ingest")]
    assert 2 in codes
    error = capfd.readouterr().err.splitlines()
    assert says in error[0]
    assert not any("Traceback" in line for line in error)


def test_a_video_cut_in_half_is_refused_or_shorter(
    tmp_path: Path, teacher: Path, video: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    root = _workspace(tmp_path / "work", video=str(path), teacher=str(teacher))
    assert main(["data", "fetch", "--workspace", str(root)]) == 0
    assert main(["data", "ingest", "--workspace", str(root)]) in {0, 2}
    assert "Traceback" not in capfd.readouterr().err


def test_a_good_video_comes_through(tmp_path: Path, teacher: Path, video: Path) -> None:
    root = _workspace(tmp_path / "work", video=str(video), teacher=str(teacher))
    for stage in ("fetch", "ingest"):
        assert main(["data", stage, "--workspace", str(root)]) == 0
    assert (root / "footage" / "footage.json").is_file()


def test_a_teacher_that_is_no_model_stops_the_label_stage(
    tmp_path: Path, teacher: Path, video: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = _workspace(tmp_path / "work", video=str(video), teacher=str(teacher))
    codes = [main(["data", s, "--workspace", str(root)]) for s in ("fetch", "ingest", "label")]
    assert codes == [0, 0, 2]
    assert "Traceback" not in capfd.readouterr().err


def test_the_demo_refuses_a_folder_that_holds_something_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letters.txt").write_text("")
    assert main(["demo", "--line", "digits", "--workspace", str(tmp_path)]) == 2
    assert "holds something else" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_the_demo_refuses_a_place_that_cannot_be_written(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["demo", "--line", "digits", "--workspace", "/proc/not-here"]) == 6
    assert capfd.readouterr().err.count("\n") == 1


def test_a_counting_line_must_be_four_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--workspace", str(tmp_path), "--count-line", "1,2,3"])
    assert ended.value.code == 2
    assert "expected four whole numbers" in capfd.readouterr().err


@pytest.mark.component
def test_a_full_disk_is_one_line_and_6(tmp_path: Path) -> None:
    """A file system of one megabyte, in a mount namespace of its own."""
    unshare = shutil.which("unshare")
    mount = "mount -t tmpfs -o size=1m none ."
    if (
        unshare is None
        or subprocess.run(
            [unshare, "-rm", "sh", "-c", mount], cwd=tmp_path, capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no mount namespaces here")
    script = (
        f"{mount} && cd '{tmp_path}' && echo 'source: {{kind: digits}}' > params.yaml"
        f" && '{EDGEFACTORY}' data fetch && '{EDGEFACTORY}' data ingest"
    )
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 6, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("edgefactory:")]
    assert "disk is full" in line
    assert "Traceback" not in done.stderr
