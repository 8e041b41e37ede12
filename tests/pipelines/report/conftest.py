"""Small workspaces as the stages leave them, with plausible figures, for the report to read."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edge_runtime.contract import (
    Decisions,
    Evidence,
    EvidenceBook,
    FileRef,
    Golden,
    GoldenCase,
    Host,
    InputSpec,
    LineCrossed,
    OperatingPoint,
    OutputSpec,
    RunReport,
    Skipped,
    Task,
    Tolerance,
    Variant,
    VariantSet,
    VoucherRead,
    digest,
    encode,
    file_digest,
)
from edgefactory import registry
from edgefactory.datasets import (
    Clip,
    Crossing,
    Footage,
    FrameLabels,
    Item,
    Label,
    Labels,
    Line,
    Picture,
    Snapshot,
    Split,
    TrueBox,
    TrueFrame,
    Truth,
    Voucher,
    header_of,
    write_manifest,
)

from ...registry.conftest import attest

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
Scene = Callable[[int], tuple[Pixels, list[Box]]]

SOURCE = digest(b"the clip")
TEACHER = digest(b"the teacher")
HELD_OUT = range(565, 625, 5)
HOST = Host("Example CPU", ("avx2", "avx512_vnni"), 2, "Linux", "3.11.9", {"onnxruntime": "1.31"})


def walkers(frame: int) -> tuple[Pixels, list[Box]]:
    """A small made-up scene: bright columns on a dark ground that move with time."""
    width, height = 192, 144
    picture = np.full((height, width, 3), 70, np.uint8)
    boxes: list[Box] = []
    for person in range(3):
        left = float((frame * (person + 1) // 5 + 50 * person) % (width - 20))
        top = 20.0 + 30 * person
        boxes.append((left, top, left + 14, top + 36))
        picture[int(top) : int(top) + 36, int(left) : int(left) + 14] = 190
    return picture, boxes


def write(path: Path, document: object) -> str:
    """Write a document as the stages do; returns its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(document))
    return file_digest(path)


def jpeg(picture: Pixels) -> bytes:
    """The picture as JPEG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def variants(folder: Path, task: Task, snapshot: str) -> VariantSet:
    """Four variants with a few bytes each, and one that could not be made."""
    made = []
    for name, engine, precision, length in (
        ("onnx-fp32", "onnxruntime", "f32", 812_345),
        ("onnx-int8", "onnxruntime", "int8", 226_117),
        ("openvino-int8", "openvino", "int8", 301_002),
        ("qdq-int8", "openvino", "int8", 240_441),
    ):
        content = name.encode().ljust(length, b"\0")
        (folder / name).mkdir(parents=True)
        (folder / name / "model.onnx").write_bytes(content)
        files = {"model.onnx": FileRef(digest(content), length)}
        made.append(Variant(name, engine, precision, ("cpu",), "model.onnx", files))  # type: ignore[arg-type]  # literals in a loop
    made_set = VariantSet(
        schema="variants/1",
        task=task,
        labels=("person",) if task == "detection" else tuple("0123456789"),
        input=InputSpec(384, 288),
        output=OutputSpec(("boxes", "scores", "labels")),
        checkpoint_sha256=file_digest(folder.parent / "checkpoint" / "model.safetensors"),
        snapshot_sha256=snapshot,
        variants=tuple(made),
        skipped=(Skipped("tensorrt-rtx-int8", "the package tensorrt-rtx is not installed"),),
    )
    write(folder / "variants.json", made_set)
    return made_set


def evidence(made: VariantSet, with_teacher: bool) -> EvidenceBook:
    """Figures for every variant but `qdq-int8`, which was built and not run."""
    items: list[Evidence] = []

    def add(metric: str, value: float, about: dict[str, str], **more: object) -> None:
        shared: dict[str, object] = {"n": 12, "engine_version": "1.0", "threads": 1}
        shared["snapshot_sha256"] = made.snapshot_sha256
        figure = {"metric": metric, "value": value, **shared, **about, **more}
        items.append(msgspec.convert(figure, Evidence))

    for engine, precision, ms in (
        ("onnxruntime", "f32", 201.4),
        ("openvino", "f32", 180.7),
        ("openvino", "bf16", 98.2),
    ):
        if with_teacher:
            about = {"subject": "teacher", "file_sha256": TEACHER}
            about |= {"engine": engine, "precision": precision}
            add("latency_ms", ms, about)
            if (engine, precision) == ("openvino", "f32"):
                add("ap50", 0.826, about, interval=(0.781, 0.862))
                add("bytes", 12_900_000, about)
                add("macs", 6.1e9, about)
    for variant, quality, ms in zip(
        made.variants, (0.845, 0.841, 0.843), (1.71, 0.84, 0.62), strict=False
    ):
        about = {
            "subject": variant.name,
            "file_sha256": variant.files[variant.main].sha256,
            "engine": variant.engine,
            "precision": variant.precision,
        }
        name = "ap50" if made.task == "detection" else "accuracy"
        add(name, quality, about, interval=(quality - 0.038, quality + 0.03))
        if variant.name != "onnx-fp32":
            fp32 = made.variants[0].files["model.onnx"].sha256
            bounds = (-0.012, 0.006)
            add(f"{name}_minus_fp32", quality - 0.845, about, interval=bounds, against_sha256=fp32)
        add("latency_ms", ms, about)
        add("latency_p99_ms", ms * 1.3, about)
        add("frame_ms", ms + 1.1, about)
        add("macs", 83e6, about)
        add("bytes", variant.files[variant.main].bytes, about)
        if with_teacher:
            bounds, against = (-0.02, 0.05), TEACHER
            gain = quality - 0.826
            add("ap50_minus_teacher", gain, about, interval=bounds, against_sha256=against)
            add("time_ratio", 190 / ms, about, against_sha256=TEACHER)
            add("time_ratio_best", 98.2 / ms, about, against_sha256=TEACHER)
    return EvidenceBook("evidence/1", HOST, tuple(items))


def common(workspace: Path, snapshot: Snapshot, with_teacher: bool) -> VariantSet:
    """What both lines have from the checkpoint to the evidence."""
    sha = write_manifest(workspace / "snapshot", header_of(snapshot), snapshot.items)
    (workspace / "checkpoint").mkdir()
    (workspace / "checkpoint" / "model.safetensors").write_bytes(b"weights")
    metric = "ap50" if snapshot.task == "detection" else "accuracy"
    curve = [
        {"epoch": e, "loss": 3 / e, "learning_rate": 1e-3, "seconds": 2.0, "val": 0.9 - 0.7 / e}
        for e in range(1, 31)
    ]
    write(
        workspace / "checkpoint" / "metrics.json",
        {"schema": "metrics/1", "metric": metric, "epochs": curve, "final": 0.88, "seconds": 61.0},
    )
    lineage = {
        "schema": "lineage/1",
        "git_commit": None,
        "snapshot_sha256": sha,
        "teacher_sha256": TEACHER if with_teacher else None,
        "classes": list(snapshot.classes),
        "seed": 0,
        "recipe": {"width": 32},
        "parameters": 61_312,
        "versions": {},
        "mlflow_run": None,
    }
    write(workspace / "checkpoint" / "lineage.json", lineage)
    made = variants(workspace / "variants", snapshot.task, sha)
    write(workspace / "evidence" / "evidence.json", evidence(made, with_teacher))
    point = OperatingPoint(0.4, "best F1 on the val part")
    write(workspace / "evidence" / "operating_point.json", point)
    _golden(workspace / "evidence" / "golden", made)
    for stage, seconds in {"ingest": 4.1, "label": 51.0, "train": 61.2, "branch": 9.3}.items():
        entry = {
            "stage": stage,
            "seconds": seconds,
            "cpu_seconds": 1.0,
            "finished": "",
            "run": None,
        }
        write(workspace / ".edgefactory" / "seconds" / f"{stage}.json", entry)
    return made


def _golden(folder: Path, made: VariantSet) -> None:
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    Image.new("RGB", (384, 288), (90, 90, 90)).save(buffer, "PNG")
    ref = FileRef(digest(buffer.getvalue()), len(buffer.getvalue()))
    (folder / f"{ref.sha256}.png").write_bytes(buffer.getvalue())
    case = GoldenCase(ref, {v.name: Decisions((0,), (0.9,)) for v in made.variants})
    write(folder / "golden.json", Golden((case,), Tolerance()))


def put_picture(workspace: Path, picture: Pixels) -> str:
    """Store a picture as the snapshot does; returns its digest."""
    content = jpeg(picture)
    path = workspace / "snapshot" / "images" / f"{digest(content)}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest(content)


def build_detection(workspace: Path, scene: Scene = walkers, human: bool = True) -> Path:
    """A detection workspace up to and with `prove`; truth by people unless not `human`."""
    items: list[Item] = []
    seen: dict[int, list[Box]] = {}
    for frame in (*range(0, 40, 10), *HELD_OUT):
        picture, seen[frame] = scene(frame)
        sha = put_picture(workspace, picture)
        split: Split = "test" if frame in HELD_OUT else ("val" if frame == 30 else "train")
        labels = tuple(
            Label("person", b, f"teacher:{TEACHER}", 0.9, "accepted") for b in seen[frame]
        )
        size = (picture.shape[1], picture.shape[0])
        file, at = f"images/{sha}.jpg", frame / 10
        items.append(Item(sha, file, *size, "clip.avi", frame, at, split, labels))
    truth_sha = None
    if human:
        truth_sha = write(workspace / "branch" / "truth.json", _truth(seen, size))
    pictures = tuple(
        Picture(f"pictures/{f:06d}.jpg", f, f / 10, "held_out" if f in HELD_OUT else "train")
        for f in seen
    )
    footage = Footage(
        "footage/1", "clip", "detection", ("person",), SOURCE, 795, *size, 10.0, 540, 560,
        truth_sha, pictures,
    )  # fmt: skip
    write(workspace / "footage" / "footage.json", footage)
    frames = tuple(FrameLabels(i.frame or 0, i.labels) for i in items)
    write(
        workspace / "labels" / "labels.json",
        Labels("labels/1", SOURCE, TEACHER, {"accept": 0.5}, frames),
    )
    snapshot = Snapshot(
        "cctv", "detection", ("person",), "human" if human else "teacher", truth_sha,
        tuple(items),
    )  # fmt: skip
    common(workspace, snapshot, with_teacher=True)
    write(workspace / "evidence" / "predictions.json", _predictions(snapshot, seen))
    return workspace


def _truth(seen: dict[int, list[Box]], size: tuple[int, int]) -> Truth:
    frames = [TrueFrame(f, tuple(TrueBox("person", b) for b in seen[f])) for f in HELD_OUT]
    return Truth(
        "truth/1",
        Clip("clip.avi", SOURCE, 795, *size),
        "Every box was drawn over the picture and looked at twice",
        ("A. Person",),
        ("person",),
        Line("path", (size[0] * 0.5, size[1] * 0.1), (size[0] * 0.5, size[1] * 0.9)),
        tuple(frames),
        (Crossing(570, "in"), Crossing(590, "out"), Crossing(601, "in")),
    )


def _predictions(snapshot: Snapshot, seen: dict[int, list[Box]]) -> dict[str, object]:
    """Nearly the truth; in every frame the teacher misses one and sees one that is not there."""
    rng = np.random.default_rng(0)
    frames: dict[str, object] = {}
    false = [5.0, 5.0, 20.0, 45.0, 0.7]
    for item in snapshot.split("test"):
        frame = item.frame or 0
        found = [[*(np.array(b) + rng.normal(0, 0.8, 4)).tolist(), 0.9] for b in seen[frame]]
        frames[str(frame)] = {
            "picture": f"snapshot/{item.file}",
            "truth": [[*b, 0] for b in seen[frame]],
            "teacher": [*found[1:], false],
            "onnx-fp32": found,
            "onnx-int8": found if frame % 2 else [*found[:-1], false],
        }
    return {"schema": "predictions/1", "truth": snapshot.test_labels, "frames": frames}


def build_branch(workspace: Path, release: str = digest(b"release")) -> None:
    """What a detection branch leaves: three crossings, a heat map and a clip."""
    folder = workspace / "branch"
    folder.mkdir(exist_ok=True)
    events = [
        LineCrossed("camera", f, f / 10, i, d, release)  # type: ignore[arg-type]  # two literals
        for i, (f, d) in enumerate(((571, "in"), (589, "out"), (604, "in")))
    ]
    lines = b"".join(encode(e).replace(b"\n", b"") + b"\n" for e in events)
    (folder / "events.jsonl").write_bytes(lines)
    run = RunReport(
        "run/1", "branch-0001", "cctv-person", "0.1.0", release, "onnx-int8", "onnxruntime",
        "1.31.1", "passed", "camera", 235, 560, 0.81, 1.2, 2.4, {"in": 2, "out": 1}, (),
    )  # fmt: skip
    write(folder / "run.json", run)
    Image.fromarray(walkers(565)[0]).save(folder / "heatmap.png")
    (folder / "annotated.mp4").write_bytes(b"\0" * 2000)
    once = {
        "measured_ms": {"onnx-int8": 0.81, "onnx-fp32": 1.7},
        "refused": {"qdq-int8": "no openvino"},
        "model": "m",
    }
    write(folder / "status.json", {"once": once, "selftest": {"cases": 8}, "status": {}})
    packages = {"numpy": "2.2.6", "onnxruntime": "1.31.1"}
    write(
        folder / "install.json",
        {"python": "3.11.9", "packages": packages, "bytes": 165_000_000, "torch": False},
    )


def build_digits(workspace: Path) -> Path:
    """A classification workspace with its branch run: no teacher, imported labels, one voucher.

    Held-out picture 9 is misread, and so is the voucher.
    """
    rng = np.random.default_rng(0)
    items: list[Item] = []
    frames: dict[str, object] = {}
    for frame in range(18):
        sha = put_picture(workspace, rng.integers(0, 255, (32, 32, 3)).astype(np.uint8))
        split: Split = "test" if frame >= 6 else ("val" if frame == 5 else "train")
        labels = (Label(str(frame % 10), None, "imported:digits", 1.0, "accepted"),)
        file = f"images/{sha}.jpg"
        items.append(Item(sha, file, 32, 32, "voucher-0001", frame, frame / 10, split, labels))
        if split == "test":
            read = [4 if frame == 9 else frame % 10, 0.93]
            frames[sha] = {
                "picture": f"snapshot/{file}",
                "truth": frame % 10,
                "onnx-fp32": read,
                "onnx-int8": read,
            }
    _digits_footage(workspace, rng.integers(0, 255, (32, 192, 3)).astype(np.uint8))
    snapshot = Snapshot(
        "digits", "classification", tuple("0123456789"), "imported", None,
        tuple(items),
    )  # fmt: skip
    common(workspace, snapshot, with_teacher=False)
    document = {"schema": "predictions/1", "truth": "imported", "frames": frames}
    write(workspace / "evidence" / "predictions.json", document)
    event = VoucherRead("vouchers", "voucher-0001", "678401", 0.61, digest(b"release"))
    line = encode(event).replace(b"\n", b"")
    (workspace / "branch").mkdir()
    (workspace / "branch" / "events.jsonl").write_bytes(line)
    run = RunReport(
        "run/1", "branch-0001", "digits", "0.1.0", digest(b"release"), "onnx-int8", "onnxruntime",
        "1.31.1", "passed", "vouchers", 6, 0, 0.1, 0.2, 0.3, {"vouchers": 1, "digits": 6}, (),
    )  # fmt: skip
    write(workspace / "branch" / "run.json", run)
    return workspace


def _digits_footage(workspace: Path, strip: Pixels) -> None:
    (workspace / "footage" / "vouchers").mkdir(parents=True)
    (workspace / "footage" / "vouchers" / "voucher-0001.jpg").write_bytes(jpeg(strip))
    pictures = tuple(
        Picture(f"pictures/{f:06d}.jpg", f, f / 10, "held_out" if f >= 6 else "train", str(f % 10))
        for f in range(18)
    )
    voucher = Voucher("voucher-0001", "vouchers/voucher-0001.jpg", "678901", tuple(range(6, 12)))
    footage = Footage(
        "footage/1", "digits", "classification", tuple("0123456789"), SOURCE, 18, 32, 32, 10.0, 6,
        6, None, pictures, (voucher,),
    )  # fmt: skip
    write(workspace / "footage" / "footage.json", footage)
    write(workspace / "labels" / "labels.json", Labels("labels/1", SOURCE, None, {}, ()))


def sign_and_run(workspace: Path) -> Path:
    """The stages after `prove`: a release, its verdict, a published tree, a branch's run."""
    made, proof = workspace / "variants", workspace / "evidence"
    checkpoint, snapshot = workspace / "checkpoint", workspace / "snapshot"
    release, verdict = workspace / "release", workspace / "gate" / "verdict.json"
    sources = registry.Sources(made, proof, checkpoint, snapshot)
    registry.build_release(registry.ReleaseSettings(), sources, release)
    shutil.copy(registry.example_policy("cctv"), workspace / "policy.yaml")
    verdict.parent.mkdir()
    registry.write_verdict(registry.gate(release, workspace / "policy.yaml"), verdict)
    registry.create_keys(workspace / "keys")
    registry.init_repository(workspace / "published", workspace / "keys")
    attest(release, verdict, workspace / "keys")
    registry.publish(release, verdict, workspace / "keys", workspace / "published")
    build_branch(workspace, file_digest(release / "release.json"))
    return workspace


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """A detection workspace without human truth."""
    return build_detection(tmp_path / "own", human=False)


@pytest.fixture
def detection(tmp_path: Path) -> Path:
    """A detection workspace up to and with `prove`."""
    return build_detection(tmp_path / "cctv")


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of `finished`, made once."""
    return sign_and_run(build_detection(tmp_path_factory.mktemp("report") / "cctv"))


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """A detection workspace whose branch has run a signed release."""
    return Path(shutil.copytree(finished_once, tmp_path / "cctv"))


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A classification workspace whose branch has run."""
    return build_digits(tmp_path / "digits")
