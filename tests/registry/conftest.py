"""A tiny production line up to the release stage: real documents and files, no real network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import (
    Decisions,
    Engine,
    Evidence,
    EvidenceBook,
    FileRef,
    Golden,
    GoldenCase,
    Host,
    InputSpec,
    OperatingPoint,
    OutputSpec,
    Precision,
    Tolerance,
    Variant,
    VariantSet,
    digest,
    encode,
)
from edgefactory.datasets.documents import Item, Label, Snapshot
from edgefactory.datasets.manifest import header_of, write_manifest
from edgefactory.registry import (
    ReleaseSettings,
    Sources,
    attest_release,
    attest_verdict,
    build_release,
    create_keys,
    example_policy,
    gate,
    write_verdict,
)
from edgefactory.registry.keys import load_signer
from edgefactory.registry.lineage import CheckpointLineage

TEACHER = digest(b"teacher.onnx")
BOX = (10.0, 10.0, 20.0, 40.0)


@dataclass(frozen=True)
class Line:
    """The folders that the release stage reads, and those that it and its successors write.

    With `keys` what it builds is attested by the line's.
    """

    folder: Path
    keys: Path | None = None

    @property
    def inputs(self) -> tuple[Sources]:
        return (
            Sources(
                self.variants, self.evidence, self.folder / "checkpoint", self.folder / "snapshot"
            ),
        )

    @property
    def variants(self) -> Path:
        return self.folder / "variants"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    @property
    def release(self) -> Path:
        return self.folder / "release"

    @property
    def verdict(self) -> Path:
        return self.folder / "gate" / "verdict.json"

    @property
    def published(self) -> Path:
        return self.folder / "published"

    def book(self) -> EvidenceBook:
        return msgspec.json.decode(
            (self.evidence / "evidence.json").read_bytes(), type=EvidenceBook
        )

    def change(self, change: Callable[[Evidence], Evidence | None]) -> None:
        """Rewrite the evidence, item by item; None leaves the item out."""
        book = self.book()
        items = tuple(new for item in book.items if (new := change(item)) is not None)
        write(self.evidence / "evidence.json", encode(msgspec.structs.replace(book, items=items)))

    def build(self, version: str = "0.1.0", sequence: int = 1) -> str:
        """Build the release and judge it by the shipped policy; returns the release's digest."""
        settings = ReleaseSettings(version=version, sequence=sequence)
        built = build_release(settings, *self.inputs, self.release)
        write_verdict(gate(self.release, example_policy("cctv")), self.verdict)
        if self.keys is not None:
            attest(self.release, self.verdict, self.keys)
        return built.digest


@pytest.fixture
def line(tmp_path: Path, keys: Path) -> Line:
    """A line whose release passes the shipped cctv policy."""
    return make_line(tmp_path / "line", keys=keys)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One set of role keys."""
    folder = tmp_path_factory.mktemp("keys") / "keys"
    create_keys(folder)
    return folder


def attest(release: Path, verdict: Path, keys: Path, who: str = "line") -> None:
    """Sign for training, evaluation and gate."""
    signer = load_signer(keys, who)
    attest_release(release, signer)
    attest_verdict(release, verdict, signer)


def write(path: Path, data: bytes) -> FileRef:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return FileRef(digest(data), len(data))


def make_line(folder: Path, weights: bytes = b"weights", keys: Path | None = None) -> Line:
    line = Line(folder, keys)
    (folder / "snapshot").mkdir(parents=True)
    snapshot = _snapshot()
    snapshot_sha256 = write_manifest(folder / "snapshot", header_of(snapshot), snapshot.items)
    checkpoint = write(folder / "checkpoint" / "model.safetensors", weights)
    lineage = CheckpointLineage(
        schema="lineage/1",
        git_commit=None,
        snapshot_sha256=snapshot_sha256,
        teacher_sha256=TEACHER,
        classes=("person",),
        seed=0,
        recipe={"epochs": 3, "resolution": [384, 288], "augment": {"flip": 0.5}},
        parameters=7,
        versions={"torch": "2"},
    )
    write(folder / "checkpoint" / "lineage.json", encode(lineage))
    made = VariantSet(
        schema="variants/1",
        task="detection",
        labels=("person",),
        input=InputSpec(384, 288),
        output=OutputSpec(("boxes", "scores", "labels")),
        checkpoint_sha256=checkpoint.sha256,
        snapshot_sha256=snapshot_sha256,
        variants=(
            _variant(line, "onnx-fp32", "onnxruntime", "f32", {"model.onnx": weights + b" f32"}),
            _variant(line, "onnx-int8", "onnxruntime", "int8", {"model.onnx": weights + b" i8"}),
            _variant(
                line,
                "openvino-int8",
                "openvino",
                "int8",
                {"model.xml": b"<net/>", "model.bin": weights + b" bin"},
            ),
            _variant(line, "tensorrt-rtx-int8", "tensorrt-rtx", "int8", {"model.engine": weights}),
        ),
    )
    write(line.variants / "variants.json", encode(made))
    measured = made.variants[:3]
    write(line.evidence / "evidence.json", encode(_book(measured, snapshot_sha256)))
    write(line.evidence / "operating_point.json", encode(OperatingPoint(0.4, "best F1 on val")))
    picture = FileRef(digest(b"a png"), 5)
    write(line.evidence / "golden" / f"{picture.sha256}.png", b"a png")
    seen = Decisions((0,), (0.9,), (BOX,))
    case = GoldenCase(picture, {variant.name: seen for variant in measured})
    write(line.evidence / "golden" / "golden.json", encode(Golden((case,), Tolerance())))
    return line


def _variant(
    line: Line, name: str, engine: Engine, precision: Precision, files: dict[str, bytes]
) -> Variant:
    refs = {file: write(line.variants / name / file, data) for file, data in files.items()}
    return Variant(name, engine, precision, ("cpu",), next(iter(files)), refs)


def _snapshot() -> Snapshot:
    def item(frame: int, split: str, origin: str, state: str) -> Item:
        label = {"class": "person", "box": BOX, "origin": origin, "score": 0.9, "state": state}
        sha256 = digest(str(frame).encode())
        return msgspec.convert(
            {
                "id": sha256,
                "file": f"images/{sha256}.jpg",
                "width": 768,
                "height": 576,
                "source": "vtest.avi",
                "frame": frame,
                "captured_at": frame / 10,
                "split": split,
                "labels": [msgspec.convert(label, Label)],
            },
            Item,
        )

    return Snapshot(
        name="cctv",
        task="detection",
        classes=("person",),
        test_labels="human",
        truth_sha256=None,
        items=(
            item(0, "train", f"teacher:{TEACHER}", "accepted"),
            item(2, "train", f"teacher:{TEACHER}", "queued"),
            item(565, "test", "human:a person", "reviewed"),
        ),
    )


def _book(variants: tuple[Variant, ...], snapshot: str) -> EvidenceBook:
    fp32 = variants[0].files[variants[0].main].sha256
    items = [
        Evidence(
            "ap50",
            0.82,
            46,
            "teacher",
            TEACHER,
            snapshot,
            "openvino",
            "2026.4",
            "f32",
            1,
            (0.8, 0.9),
        )
    ]
    for variant in variants:
        ref = variant.files[variant.main]

        def figure(
            metric: str,
            value: float,
            against: str | None = None,
            of: Variant = variant,
            main: FileRef = ref,
        ) -> Evidence:
            return Evidence(
                metric=metric,
                value=value,
                n=46,
                subject=of.name,
                file_sha256=main.sha256,
                snapshot_sha256=snapshot,
                engine=of.engine,
                engine_version="1",
                precision=of.precision,
                threads=1,
                interval=(value - 0.02, value + 0.02) if "ap50" in metric else None,
                against_sha256=against,
                files_sha256=tuple(f.sha256 for f in of.files.values()),
            )

        items += [
            figure("ap50", 0.84),
            figure("ap50_minus_teacher", 0.02, TEACHER),
            figure("ap50_minus_fp32", -0.005, fp32),
            figure("time_ratio", 150.0, TEACHER),
            figure("bytes", float(sum(f.bytes for f in variant.files.values()))),
        ]
    host = Host("a CPU", ("avx2",), 2, "Linux", "3.11", {"onnxruntime": "1"})
    return EvidenceBook("evidence/1", host, tuple(items))
