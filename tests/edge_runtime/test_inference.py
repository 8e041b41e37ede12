"""From Python, and by `edge-runtime infer`: the same decisions as a run, in names and pixels."""

import io
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from edge_runtime import Decision, Result, Runtime
from edge_runtime.cli import main
from edge_runtime.contract import (
    Decisions,
    Golden,
    Tolerance,
    audio_picture,
    decide,
    encode,
    preprocess,
)
from edge_runtime.engines import Session, load
from edge_runtime.errors import InputError, MissingError, RefusedError, StorageError
from edge_runtime.given import sequence
from edge_runtime.running import active, open_active
from edge_runtime.state import State
from edge_runtime.streams.detection import Detector
from edge_runtime.streams.sources import Frame

from .models import Built, build, build_colours, build_digits, png, scene
from .publishing import Publisher
from .recordings import AUDIO, tone

TWICE = (128, 96)  # twice the model's input


@pytest.fixture
def runtime(state: State, publisher: Publisher) -> Runtime:
    """A site at which `squares` runs."""
    publisher.publish(build(1))
    assert main(["--state", str(state.folder), "once", "--model", "squares"]) == 0
    return Runtime(state.folder)


def _folder(built: Built, folder: Path) -> Path:
    (folder / "blobs").mkdir(parents=True)
    for name, data in built.blobs.items():
        (folder / "blobs" / name).write_bytes(data)
    (folder / "release.json").write_bytes(encode(built.release))
    return folder


def _session(built: Built) -> Session:
    variant = built.release.variants[0]
    return load(variant, {n: built.blobs[r.sha256] for n, r in variant.files.items()}, 1)


def _picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.fromarray(scene((20, 30), (44, 4))).resize(TWICE, 0))


def test_every_form_of_a_picture_gives_the_same_decisions(runtime: Runtime, tmp_path: Path) -> None:
    picture = _picture()
    file = tmp_path / "picture.png"
    file.write_bytes(png(picture))
    expected = {(40.0, 60.0, 56.0, 76.0), (88.0, 8.0, 104.0, 24.0)}  # pixels of the picture
    for image in (file, str(file), file.read_bytes(), Image.open(file), picture):
        result = runtime.infer(image)
        assert {found.box for found in result.decisions} == expected
        assert {found.label for found in result.decisions} == {"square"}
    assert (result.model, result.version, runtime.models) == ("squares", "1.0.0", ("squares",))


def test_decisions_are_those_of_a_run(runtime: Runtime, state: State) -> None:
    found = active(state, None)
    threshold = found.release.operating_point.score_threshold
    detector = Detector(found, open_active(state, found, 1), threshold)
    boxes, scores = detector.detect(Frame(0, 0.0, _picture()))
    result = runtime.infer(_picture())
    assert [list(d.box or ()) for d in result.decisions] == boxes.tolist()
    assert [d.score for d in result.decisions] == scores.tolist()


def test_a_class_has_its_name_and_no_box(tmp_path: Path) -> None:
    runtime = Runtime.from_release(_folder(build_digits(1), tmp_path / "release"))
    (decision,) = runtime.infer(np.full((8, 8, 3), 140, np.uint8)).decisions
    assert (decision.label, decision.box) == ("5", None)


def test_an_embedding_is_the_graphs_output_and_its_self_test_compares_it(tmp_path: Path) -> None:
    built = build_colours(1)
    runtime = Runtime.from_release(_folder(built, tmp_path / "release"))
    picture = scene((3, 3), size=(16, 16))
    given, _ = preprocess(picture, built.release.input)
    expected = decide("embedding", _session(built).run(given[None]), 0, 0.0)
    result = runtime.infer(picture)
    assert (result.embedding, result.decisions) == (expected.embedding, ())
    assert result.plain()["embedding"] == expected.embedding
    case = built.release.golden.cases[0]
    other = {"onnx-fp32": Decisions((), (), embedding=(0.0, 0.0, 1.0))}
    golden = Golden((msgspec.structs.replace(case, expected=other),), Tolerance())
    release = msgspec.structs.replace(built.release, golden=golden)
    with pytest.raises(RefusedError, match="cosine to the expected one is 0"):
        Runtime.from_release(_folder(Built(release, built.blobs), tmp_path / "other"))


def test_a_recording_is_decided_stretch_by_stretch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by hand: the contract's picture of the samples, `preprocess`, the session, `decide`."""
    built = build_digits(1, AUDIO)
    folder = _folder(built, tmp_path / "release")
    runtime, data = Runtime.from_release(folder), tone(AUDIO.samples + 100)
    samples = sequence(data, AUDIO, "it")
    results, session = runtime.stretches(data), _session(built)
    for start, result in zip((0, AUDIO.samples), results, strict=True):
        picture = audio_picture(samples[start : start + AUDIO.samples], AUDIO)
        given, _ = preprocess(picture, built.release.input)
        found = decide("classification", session.run(given[None]), 0, 0.0)
        assert [d.score for d in result.decisions] == list(found.scores)
        assert [d.label for d in result.decisions] == [str(label) for label in found.labels]
        assert result.seconds == start / AUDIO.rate
    first = samples[: AUDIO.samples]
    assert runtime.infer(first).decisions == results[0].decisions
    with pytest.raises(InputError, match="expected 1 to"):
        runtime.infer(data)
    file = tmp_path / "a.wav"
    file.write_bytes(data)
    assert main(["infer", str(file), "--release", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{file} 0.000 s  {results[0].decisions[0].label} ")
    assert lines[1].startswith(f"{file} {AUDIO.samples / AUDIO.rate:.3f} s  ")


def test_a_release_folder_is_verified_by_its_digests(tmp_path: Path) -> None:
    built = build(1)
    folder = _folder(built, tmp_path / "release")
    assert len(Runtime.from_release(folder).infer(scene((8, 8))).decisions) == 1
    model = built.release.variants[0].files["model.onnx"].sha256
    content = bytearray(built.blobs[model])
    content[100] ^= 1
    (folder / "blobs" / model).write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        Runtime.from_release(folder)
    case = msgspec.structs.replace(built.release.golden.cases[0], expected={})
    golden = msgspec.structs.replace(built.release.golden, cases=(case,))
    release = msgspec.structs.replace(built.release, golden=golden)
    other = _folder(Built(release, built.blobs), tmp_path / "other")
    with pytest.raises(RefusedError, match="no variant of squares may run"):
        Runtime.from_release(other)


def test_what_cannot_be_decided_says_why(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no release of circles is active"):
        runtime.infer(scene(), "circles")
    with pytest.raises(MissingError, match="does not exist"):
        runtime.infer(tmp_path / "none.png")
    with pytest.raises(InputError, match="is not a picture"):
        runtime.infer(b"no picture")
    with pytest.raises(InputError, match=r"uint8 \[H,W,3\]"):
        runtime.infer(np.zeros((4, 4), np.uint8))
    with pytest.raises(MissingError, match="not enrolled"):
        Runtime(tmp_path / "nowhere").infer(scene())


def test_a_result_draws_itself(tmp_path: Path) -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    boxes = ((50.0, 60.0, 150.0, 160.0), (-20.0, -20.0, 900.0, 900.0), (80.0, 70.0, 60.0, 65.0))
    result = Result("m", "1.0.0", tuple(Decision("cat", 0.9, box) for box in boxes), 1.0, picture)
    result.save(tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (300, 200)
        assert drawn.getpixel((50, 120)) == (0x4C, 0xC9, 0xF0)
    small = Result("m", "1.0.0", (Decision("5", 0.9),), 1.0, np.zeros((8, 8, 3), np.uint8))
    with Image.open(io.BytesIO(small._repr_png_())) as enlarged:
        assert enlarged.size == (160, 160)


def test_infer_prints_decides_and_draws(
    runtime: Runtime, state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    (folder / "one.png").write_bytes(png(scene((8, 8))))
    (folder / "two.png").write_bytes(png(scene()))
    command = ["--state", str(state.folder), "infer", str(folder), "--out", str(out)]
    capsys.readouterr()
    assert main(command) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("one.png  square 1.000  8.0 8.0 16.0 16.0")
    assert second.endswith("two.png  nothing")
    assert sorted(path.name for path in out.iterdir()) == ["one.png", "two.png"]
    assert main(["--json", *command]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["signed"] is True
    assert said["pictures"][0]["decisions"][0]["box"] == [8.0, 8.0, 16.0, 16.0]
    twice = ["infer", str(folder), str(folder / "one.png"), "--out", str(out)]
    assert main(["--state", str(state.folder), *twice]) == 2  # both would become one.png


def test_infer_says_that_a_folder_is_not_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = _folder(build(1), tmp_path / "release"), tmp_path / "a.png"
    file.write_bytes(png(scene((8, 8))))
    assert main(["infer", str(file), "--release", str(folder)]) == 0
    assert "not verified by signatures" in capsys.readouterr().out


def _loaded(imported: str, of: str) -> str:
    """Which of the modules `of` a process has that has imported `imported`."""
    code = f"import sys, {imported}; print(*sorted(set({of.split()}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing() -> None:
    assert _loaded("edge_runtime", "numpy PIL msgspec") == ""


def test_before_a_model_is_asked_for_nothing_is_loaded_that_only_models_need() -> None:
    """So that a worker can be started before: it takes longer."""
    heavy = "numpy PIL onnxruntime openvino simplejpeg subprocess socket shutil json"
    assert _loaded("edge_runtime.inference", heavy) == ""
    assert _loaded("edge_runtime.workers, edge_runtime.daemon", "numpy PIL asyncio ssl") == ""
