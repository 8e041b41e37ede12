"""The line stage by stage: what each made, in a sentence, and how long it took. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgefactory.pipelines.report.inputs import Inputs
from edgefactory.pipelines.report.wording import count, size


@dataclass(frozen=True)
class Step:
    """One stage of the line. `done` is False when its output is not there."""

    name: str
    title: str
    made: str
    seconds: float | None
    done: bool = True


def tell(inputs: Inputs) -> list[Step]:
    """The stages in their order."""
    titles = {
        "ingest": "Footage",
        "label": "Auto-label" if inputs.labels.teacher_sha256 else "Labels",
        "snapshot": "Snapshot",
        "train": "Specialise",
        "compress": "Compress",
        "prove": "Prove",
        "release": "Release",
        "gate": "Gate",
        "publish": "Sign and publish",
        "branch": "Run at the branch",
    }
    made = dict(_made(inputs))
    return [
        Step(name, title, made.get(name, "not done"), inputs.seconds.get(name), name in made)
        for name, title in titles.items()
    ]


def _made(inputs: Inputs) -> Iterator[tuple[str, str]]:
    footage, variants = inputs.footage, inputs.variants
    learn = sum(p.part == "train" for p in footage.pictures)
    held = len(footage.pictures) - learn
    yield "ingest", f"{learn:,} pictures to learn from, {held:,} held out"
    yield "label", _labels(inputs)
    parts = [(len(inputs.snapshot.split(s)), s) for s in ("train", "val", "test")]
    yield "snapshot", ", ".join(f"{n:,} {'held out' if s == 'test' else s}" for n, s in parts)
    yield (
        "train",
        (
            f"{count(inputs.training.parameters)} parameters, "
            f"{len(inputs.curves.epochs)} epochs, seed {inputs.training.seed}"
        ),
    )
    skipped = f", {len(variants.skipped)} skipped" if variants.skipped else ""
    yield "compress", f"{len(variants.variants)} variants{skipped}"
    yield "prove", f"{len(inputs.evidence.items)} figures, each bound to file digests"
    if inputs.release:
        files = inputs.release.files().values()
        yield (
            "release",
            (
                f"{inputs.release.name} {inputs.release.version}: "
                f"{len(files)} files, {size(sum(f.bytes for f in files))}"
            ),
        )
    if inputs.verdict:
        passed = sum(f.passed for f in inputs.verdict.rules)
        yield "gate", f"{passed} of {len(inputs.verdict.rules)} rules hold"
    if inputs.chain:
        yield "publish", f"{len(inputs.chain.roles)} roles, signed metadata, static files"
    if inputs.branch:
        what = "frames" if inputs.snapshot.task == "detection" else "pictures"
        yield "branch", f"{inputs.branch.run.frames:,} {what} at site {inputs.branch.run.site}"


def _labels(inputs: Inputs) -> str:
    states = [label.state for entry in inputs.labels.frames for label in entry.labels]
    if inputs.labels.teacher_sha256 is None:
        return f"{len(states):,} labels, imported"
    queued = states.count("queued")
    return f"{states.count('accepted'):,} boxes accepted, {queued:,} left for review"
