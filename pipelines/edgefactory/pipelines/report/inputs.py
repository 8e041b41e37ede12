"""What the stages left in a workspace, read once and parsed strictly.

The snapshot, the checkpoint, the variants and the evidence must be there; what comes after them
(gate, release, published tree, branch) is None until its stage has run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_runtime.contract import (
    Event,
    EvidenceBook,
    OperatingPoint,
    Release,
    RunReport,
    VariantSet,
    decode,
    file_digest,
    read,
)
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.errors import MissingError as RuntimeMissingError
from edgefactory.datasets import (
    Footage,
    Labels,
    Snapshot,
    Truth,
    read_footage,
    read_labels,
    read_snapshot,
    read_truth,
    snapshot_digest,
)
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import (
    Chain,
    Policy,
    Verdict,
    read_policy,
    read_verdict,
    verify_published,
)
from edgefactory.registry.lineage import CheckpointLineage

T = TypeVar("T")

MAX_EVENT_BYTES = 64 * 1024 * 1024


class Predictions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`predictions.json`: for every held-out picture the truth and what each subject found.

    A frame's keys are `picture`, `truth` and the subjects; see `views` for their shapes.
    """

    schema: str
    truth: str
    frames: dict[str, dict[str, msgspec.Raw]]


class StageTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a stage took when it last did its work: `.edgefactory/seconds/<stage>.json`."""

    stage: str
    seconds: float
    cpu_seconds: float
    finished: str
    run: str | None = None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an input came from: `input/<what>/source.json`."""

    schema: str
    what: str
    file: str | None
    sha256: str | None
    origin: str


class Install(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the branch's own environment holds: `branch/install.json`."""

    python: str
    packages: dict[str, str]
    bytes: int
    torch: bool


class Activation(msgspec.Struct, frozen=True):
    """What the report takes from the branch's answer to `once`: medians in ms, and refusals."""

    measured_ms: dict[str, float] = {}
    refused: dict[str, str] = {}


class SelfTest(msgspec.Struct, frozen=True):
    """What the report takes from the branch's answer to `selftest`."""

    cases: int


class Status(msgspec.Struct, frozen=True):
    """What the report takes from `branch/status.json`, the branch's own answers."""

    once: Activation
    selftest: SelfTest


# The curves belong to `edgefactory.training`, which imports torch. The report needs a few of their
# keys, and takes only these: no `forbid_unknown_fields` here.


class Epoch(msgspec.Struct, frozen=True):
    """One point of the training curves; `val` is AP50 or accuracy on the val split, if any."""

    loss: float
    val: float | None = None


class Curves(msgspec.Struct, frozen=True):
    """What the report takes from `checkpoint/metrics.json`."""

    metric: str
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class Branch:
    """What a branch's run left: the report, its events, and the pictures that it made."""

    run: RunReport
    events: tuple[Event, ...]
    heatmap: Path | None
    clip: Path | None
    install: Install | None
    status: Status | None


@dataclass(frozen=True)
class Inputs:
    """The documents of one workspace; see the module for which may be None."""

    folder: Path
    footage: Footage
    labels: Labels
    snapshot: Snapshot
    snapshot_sha256: str
    truth: Truth | None
    curves: Curves
    training: CheckpointLineage
    checkpoint_sha256: str
    variants: VariantSet
    evidence: EvidenceBook
    operating_point: OperatingPoint
    predictions: Predictions
    verdict: Verdict | None
    policy: Policy | None
    release: Release | None
    release_sha256: str | None
    card: str | None
    chain: Chain | None
    chain_refused: str
    branch: Branch | None
    seconds: dict[str, float]
    sources: dict[str, Source]


def read_inputs(workspace: Path) -> Inputs:
    """Everything that the report is made from.

    Raises MissingError when a stage up to `prove` has not run, InputError when a document is not
    valid. A published tree that does not verify is told of in `chain_refused`.
    """
    try:
        return _read(workspace)
    except RuntimeMissingError as error:
        raise MissingError(f"{error}; run the stages up to `edgefactory prove` first") from error
    except EdgeRuntimeError as error:
        raise InputError(str(error)) from error


def _read(workspace: Path) -> Inputs:
    footage = read_footage(workspace / "footage")
    snapshot = read_snapshot(workspace / "snapshot")
    checkpoint, evidence = workspace / "checkpoint", workspace / "evidence"
    release = _optional(workspace / "release" / "release.json", Release)
    chain, refused = _chain(workspace / "published")
    verdict = _verdict(workspace / "gate" / "verdict.json")
    return Inputs(
        folder=workspace,
        footage=footage,
        labels=read_labels(workspace / "labels"),
        snapshot=snapshot,
        snapshot_sha256=snapshot_digest(workspace / "snapshot"),
        truth=_truth(workspace / "branch" / "truth.json", snapshot),
        curves=read(checkpoint / "metrics.json", Curves),
        training=read(checkpoint / "lineage.json", CheckpointLineage),
        checkpoint_sha256=file_digest(checkpoint / "model.safetensors"),
        variants=read(workspace / "variants" / "variants.json", VariantSet),
        evidence=read(evidence / "evidence.json", EvidenceBook),
        operating_point=read(evidence / "operating_point.json", OperatingPoint),
        predictions=read(evidence / "predictions.json", Predictions),
        verdict=verdict,
        policy=_policy(workspace / "policy.yaml", verdict),
        release=release,
        release_sha256=_digest_if(workspace / "release" / "release.json"),
        card=_card(workspace / "release", release),
        chain=chain,
        chain_refused=refused,
        branch=_branch(workspace / "branch"),
        seconds=_seconds(workspace / ".edgefactory" / "seconds"),
        sources=_origins(workspace / "input"),
    )


def _optional(path: Path, kind: type[T]) -> T | None:
    return read(path, kind) if path.exists() else None


def _digest_if(path: Path) -> str | None:
    return file_digest(path) if path.exists() else None


def _truth(path: Path, snapshot: Snapshot) -> Truth | None:
    """The truth about the line that the branch counted at, if it is the snapshot's too."""
    if not path.exists() or file_digest(path) != snapshot.truth_sha256:
        return None
    return read_truth(path)


def _policy(path: Path, verdict: Verdict | None) -> Policy | None:
    """The policy that the verdict was reached under; None when it is not that file any more."""
    if verdict is None or not path.exists():
        return None
    policy, sha256 = read_policy(path)
    return policy if sha256 == verdict.policy else None


def _seconds(folder: Path) -> dict[str, float]:
    return {
        (entry := read(path, StageTime)).stage: entry.seconds
        for path in sorted(folder.glob("*.json"))
    }


def _origins(folder: Path) -> dict[str, Source]:
    return {
        (entry := read(path, Source)).what: entry for path in sorted(folder.glob("*/source.json"))
    }


def _card(release_folder: Path, release: Release | None) -> str | None:
    """The release's model card, once its digest is that of the release."""
    if release is None:
        return None
    path = release_folder / "blobs" / release.card.sha256
    if not path.is_file() or path.stat().st_size != release.card.bytes:
        return None
    if file_digest(path) != release.card.sha256:
        raise InputError(f"{path} is not the card that the release names; build the release again")
    return path.read_text(encoding="utf-8")


def _verdict(path: Path) -> Verdict | None:
    return read_verdict(path) if path.exists() else None


def _chain(published: Path) -> tuple[Chain | None, str]:
    """Who signed what, or why the published tree does not verify; neither when there is none."""
    root = published / "metadata" / "1.root.json"
    if not root.exists():
        return None, ""
    try:
        return verify_published(published, root), ""
    except TrustError as error:
        return None, str(error)


def _branch(folder: Path) -> Branch | None:
    if not (folder / "run.json").exists():
        return None
    heatmap, clip = folder / "heatmap.png", folder / "annotated.mp4"
    return Branch(
        run=read(folder / "run.json", RunReport),
        events=_events(folder / "events.jsonl"),
        heatmap=heatmap if heatmap.is_file() else None,
        clip=clip if clip.is_file() else None,
        install=_optional(folder / "install.json", Install),
        status=_optional(folder / "status.json", Status),
    )


def _events(path: Path) -> tuple[Event, ...]:
    if not path.exists():
        return ()
    if path.stat().st_size > MAX_EVENT_BYTES:
        raise InputError(f"{path} is larger than {MAX_EVENT_BYTES} bytes")
    lines = path.read_bytes().splitlines()
    return tuple(
        decode(line, Event, f"{path}, line {number}")  # type: ignore[arg-type]  # a union of structs
        for number, line in enumerate(lines, 1)
        if line.strip()
    )
