"""From a published release to counted squares and read vouchers, by the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from edge_runtime.cli import main
from edge_runtime.contract import Event, LineCrossed, RunReport, VoucherRead, Watch, digest, read
from edge_runtime.state import State
from edge_runtime.update import Wish, once

from .models import build, build_digits, png, scene
from .publishing import Publisher
from .serving import Server

FPS, FRAMES = 10, 60


def _video(path: Path) -> Path:
    """Two squares cross the middle of a dark scene: one to the right, later one to the left."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.bit_rate = 2_000_000
        for index in range(FRAMES):
            corners = [(10 + 2 * index, 30), (150 - 2 * index, 60)]
            small = scene(*corners, size=(128, 96))
            big = small.copy()
            for x, y in corners:  # 16 × 16 here is 8 × 8 at the model's resolution
                big[y : y + 16, max(0, x) : x + 16] = 255
            frame = av.VideoFrame.from_ndarray(big, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def active(state: State, publisher: Publisher) -> State:
    """A site that runs the detector of squares."""
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    return state


@pytest.mark.component
def test_squares_that_cross_a_line_are_counted(
    active: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = _video(tmp_path / "squares.mp4"), tmp_path / "out"
    command = ["--state", str(active.folder), "--json", "run", "--video", str(video)]
    options = ["--from-frame", "5", "--line", "64,0,64,96", "--out", str(out)]
    assert main([*command, *options]) == 0
    report = read(out / "run.json", RunReport)
    assert msgspec.json.decode(capsys.readouterr().out, type=RunReport) == report
    assert report.counts == {"in": 1, "out": 1}
    assert (report.first_frame, report.frames, report.self_test) == (5, FRAMES - 5, "passed")
    assert report.over_time[-1][1] == 2
    assert [seconds for seconds, _ in report.over_time] == pytest.approx(
        np.arange(0.5, 5.6, 1.0), abs=0.11
    )
    assert isinstance(report.watch, Watch)  # without a reference, the camera only
    assert (report.watch.route, report.watch.models["squares"].signals) == ("none", {})
    assert report.watch.camera is not None
    assert (report.watch.camera.pictures, report.watch.camera.seen) == (11, {})
    lines = (out / "events.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=Event) for line in lines]
    crossed = {e.direction: e.frame for e in events if isinstance(e, LineCrossed)}
    assert crossed == {"out": pytest.approx(23, abs=3), "in": pytest.approx(47, abs=3)}
    assert {e.release for e in events} == {report.release}
    with av.open(str(out / "annotated.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == FRAMES - 5
    assert (out / "heatmap.png").stat().st_size > 1000


@pytest.mark.component
def test_a_folder_of_pictures_is_a_stream_too(active: State, tmp_path: Path) -> None:
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    for index in range(20):
        (folder / f"{index:04d}.png").write_bytes(png(scene((4 + 2 * index, 20))))
    arguments = ["run", "--pictures", str(folder), "--line", "30,0,30,48", "--out", str(out)]
    assert main(["--state", str(active.folder), *arguments, "--no-clip"]) == 0
    assert read(out / "run.json", RunReport).counts == {"in": 0, "out": 1}
    assert not (out / "annotated.mp4").exists()


def test_vouchers_are_read(state: State, publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish(build_digits(1))
    assert main(["--state", str(state.folder), "once", "--model", "digits"]) == 0
    folder, out = tmp_path / "vouchers", tmp_path / "out"
    folder.mkdir()
    for voucher, digits in {"a": "120394", "b": "5"}.items():
        for position, digit in enumerate(digits):
            level = int((int(digit) + 0.5) * 25.6)
            picture = np.full((8, 8, 3), level, np.uint8)
            (folder / f"{voucher}_{position}.png").write_bytes(png(picture))
    command = ["--state", str(state.folder), "run", "--pictures", str(folder), "--out", str(out)]
    assert main(command) == 0
    events = [
        msgspec.json.decode(line, type=Event)
        for line in (out / "events.jsonl").read_bytes().splitlines()
    ]
    read_as = {e.voucher: e.digits for e in events if isinstance(e, VoucherRead)}
    assert read_as == {"a": "120394", "b": "5"}
    assert read(out / "run.json", RunReport).counts == {"vouchers": 2, "digits": 7}
    os.mkfifo(folder / "a_6.png")  # nobody writes into it
    assert main(command) == 2
    (folder / "a_6.png").unlink()
    (folder / "stray.png").write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    assert main(command) == 2


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (None, 3, "does not exist"),
        (b"", 2, "not a video"),
        (b"no video at all" * 100, 2, "not a video"),
    ],
)
def test_a_bad_video_costs_one_line(
    active: State,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: bytes | None,
    code: int,
    says: str,
) -> None:
    video = tmp_path / "bad.avi"
    if make is not None:
        video.write_bytes(make)
    out = str(tmp_path / "out")
    command = ["--state", str(active.folder), "run", "--video", str(video), "--out", out]
    assert main(command) == code
    error = capsys.readouterr().err.splitlines()
    assert len([line for line in error if line.startswith("edge-runtime: error:")]) == 1
    assert says in error[-1]


@pytest.mark.component
def test_a_start_beyond_the_end_and_a_cut_video_are_said(
    active: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = _video(tmp_path / "squares.mp4")
    command = ["--state", str(active.folder), "run", "--out", str(tmp_path / "out"), "--video"]
    assert main([*command, str(video), "--from-frame", "500"]) == 2
    assert "has 60 frames; frame 500 was asked for" in capsys.readouterr().err
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:500])
    assert main([*command, str(cut)]) == 2


def test_enroll_by_fingerprint_status_selftest_and_doctor(
    publisher: Publisher, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    common = ["--state", str(folder), "--json"]
    who = ["enroll", "--url", server.url, "--site", "branch-0001", "--region", "north"]
    assert main([*common, *who, "--fingerprint", "0" * 64]) == 5
    assert not (folder / "site.json").exists()
    capsys.readouterr()
    assert main([*common, *who, "--fingerprint", digest(publisher.root)]) == 0
    site = json.loads(capsys.readouterr().out)
    assert (site["site"], len(site["device_key"])) == ("branch-0001", 64)
    assert os.stat(folder / "device.pem").st_mode & 0o777 == 0o600  # noqa: PTH116 - mode bits
    assert main([*common, "selftest"]) == 3
    publisher.publish(build(1))
    assert main([*common, "once", "--model", "squares"]) == 0
    capsys.readouterr()
    assert main([*common, "status"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["models"]["squares"]["active"]["version"] == "1.0.0"
    assert status["device_key"] == site["device_key"]
    assert status["metadata"]["root"] == 1
    assert main([*common, "selftest"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 3
    assert main([*common, "doctor"]) == 0
    checks = {c["name"]: c["state"] for c in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks["engine onnxruntime"], checks["models"]) == ("ok", "ok")


def test_enrolment_is_strict(publisher: Publisher, server: Server, tmp_path: Path) -> None:
    root, folder = tmp_path / "root.json", tmp_path / "site"
    root.write_bytes(publisher.root)

    def enroll(site: str = "branch-0001", url: str = server.url) -> int:
        command = ["--state", str(folder), "enroll", "--url", url, "--root", str(root)]
        return main([*command, "--site", site])

    assert enroll(site="../etc") == 2
    assert enroll(url="ftp://somewhere") == 2
    assert enroll() == 0
    assert enroll(site="branch-0002") == 0  # renamed under the same root
    root.write_bytes(b"{}")
    assert enroll() == 2
    forged = json.loads(publisher.root)
    forged["signed"]["version"] = 2
    root.write_text(json.dumps(forged))
    assert enroll() == 5  # not signed so
    root.write_bytes(Publisher(tmp_path / "another").root)
    assert enroll() == 5  # another root
    (folder / "root.json").write_bytes(root.read_bytes())
    assert main(["--state", str(folder), "once", "--model", "squares"]) == 5  # swapped on disk


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["once"],
        ["run", "--video", "a", "--pictures", "b", "--out", "c"],
        ["run", "--video", "a", "--out", "c", "--from-frame", "-1"],
        ["once", "--model", "m", "--threads", "0"],
    ],
)
def test_a_wrong_option_costs_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_site_that_is_not_enrolled_is_told_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), "status"]) == 3
    assert "enroll" in capsys.readouterr().err


def test_json_errors_are_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), "--json", "status"]) == 3
    assert json.loads(capsys.readouterr().out)["exit_code"] == 3


def test_an_interrupt_costs_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_runtime.cli.status.run", interrupted)
    assert main(["--state", str(tmp_path), "status"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


def _python(code: str) -> str:
    done = subprocess.run(  # the interpreter of this environment
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_the_runtime_never_sees_the_factory_or_torch() -> None:
    loaded = _python(
        "import pkgutil, importlib, sys, edge_runtime\n"
        "skip = {'edge_runtime.__main__', 'edge_runtime.engines.trt'}\n"
        "for m in pkgutil.walk_packages(edge_runtime.__path__, 'edge_runtime.'):\n"
        "    m.name in skip or importlib.import_module(m.name)\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}\n"
        "      & {'torch', 'torchvision', 'edgefactory', 'openvino', 'tensorrt_rtx', 'scipy'}))"
    )
    assert loaded == "[]"


def test_help_imports_nothing_heavy_and_is_quick() -> None:
    out = _python(
        "import sys, time\n"
        "from edge_runtime.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}\n"
        "      & {'numpy', 'onnxruntime', 'tuf', 'av', 'PIL', 'msgspec', 'cryptography'}))\n"
        "print(time.process_time() < 0.3)"
    )
    assert "exit codes:" in out
    assert out.splitlines()[-2:] == ["[]", "True"]
