"""A line whose release holds its decisions, its champion, and a policy with every kind of rule."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Evidence, VariantSet, digest, encode
from edgefactory.datasets.outcomes import Answered, Boxes, Outcomes, Shown, encode_outcomes, figure
from edgefactory.registry import Given, ReleaseSettings, build_release, create_keys
from edgefactory.registry.gating import sign_approval
from edgefactory.registry.keys import load_signer

from ..conftest import Line, make_line

PICTURES = 240
NOW = datetime(2026, 11, 30, tzinfo=UTC)
_DAY = 86400.0

POLICY = """
schema: policy/1
rules:
  - {{name: found, type: at_least, metric: ap50, limit: 0.5}}
  - {{name: small, type: at_most, metric: bytes, limit: 1000}}
  - {{name: calibrated, type: at_most, metric: ece, by: interval, limit: 0.1}}
  - {{name: as fp32, type: non_inferiority, metric: ap50_minus_fp32, margin: 0.03, by: interval,
     precision: int8}}
  - {{name: box, type: budget, hardware: cpu, latency_ms: 5, memory_bytes: 1.0e+8, bytes: 1000}}
  - {{name: parity, type: parity, share: 0.9}}
  - {{name: champion, type: champion, margin: 0.1, slice_margin: 0.3}}
  - {{name: licences, type: licences, allowed: [MIT, Apache-2.0]}}
  - {{name: fresh, type: freshness, newest_days: 30, oldest_days: 100}}
  - {{name: people, type: approvals, people: {{approver: '{key}'}}}}
  - {{name: events, type: replay, command: [{python}, hook.py], at_least: {{counted: 0.9}},
     at_most: {{alarms: 3}}}}
"""

HOOK = """
import hashlib, json, pathlib, sys
release = hashlib.sha256((pathlib.Path(sys.argv[1]) / "release.json").read_bytes()).hexdigest()
print(json.dumps({"schema": "figures/1", "release": release,
                  "figures": {"counted": 0.95, "alarms": 1}}))
"""


@dataclass(frozen=True)
class Bench:
    """All that a verdict needs, in files."""

    line: Line
    champion: Line
    policy: Path
    given: Given


def make_bench(folder: Path) -> Bench:
    """A release that passes, with weights other than the champion's."""
    lines = []
    for number, weights in enumerate((b"new", b"old")):
        line = make_line(folder / weights.decode(), weights)
        decide(line, seed=number)
        settings = ReleaseSettings(version=f"0.{2 - number}.0", sequence=2 - number)
        build_release(settings, *line.inputs, line.release)
        lines.append(line)
    create_keys(folder / "keys")
    signer = load_signer(folder / "keys", "approver")
    release = digest((lines[0].release / "release.json").read_bytes())
    (folder / "approval.json").write_bytes(sign_approval(release, "approver", signer))
    (folder / "hook.py").write_text(HOOK)
    policy = folder / "policy.yaml"
    key = signer.public_key.keyval["public"]
    policy.write_text(POLICY.format(key=key, python=sys.executable))
    given = Given(lines[1].release, None, (folder / "approval.json",), NOW)
    return Bench(lines[0], lines[1], policy, given)


def decide(line: Line, seed: int, missed: float = 0.1) -> None:
    """Write what the line's variants decided, and let the evidence state what comes of it."""
    made = msgspec.json.decode((line.variants / "variants.json").read_bytes(), type=VariantSet)
    book = line.book()
    truth = np.random.default_rng(99).integers(1, 4, PICTURES)
    shown = tuple(
        Shown(digest(str(n).encode()), f"camera-{n % 2}", NOW.timestamp() - n * _DAY / 5)
        for n in range(PICTURES)
    )
    answered = tuple(
        Answered(
            variant.name,
            variant.files[variant.main].sha256,
            tuple(ref.sha256 for ref in variant.files.values()),
            variant.engine,
            variant.precision,
            0.05,
            {"person": boxes(truth, seed, missed)},
        )
        for variant in made.variants[:3]
    )
    outcomes = Outcomes(
        "outcomes/1",
        "detection",
        ("person",),
        made.snapshot_sha256,
        "human",
        shown,
        answered,
        {"person": tuple(int(n) for n in truth)},
        captured=(shown[-1].captured_at, shown[0].captured_at),
    )
    (line.evidence / "outcomes.json").write_bytes(encode_outcomes(outcomes))
    items = [_stated(item, outcomes) for item in book.items]
    items += [more for item in book.items for more in _more(item)]
    data = encode(msgspec.structs.replace(book, items=tuple(items)))
    (line.evidence / "evidence.json").write_bytes(data)


def boxes(truth: npt.NDArray[np.int64], seed: int, missed: float) -> Boxes:
    """Detections of the truth, of which the share `missed` is not found, and few others."""
    random = np.random.default_rng(seed)
    places = np.repeat(np.arange(len(truth)), truth)
    places = places[random.random(len(places)) >= missed]
    alarms = random.integers(0, len(truth), len(truth) // 20)
    picture = np.concatenate([places, alarms])
    right = np.arange(len(picture)) < len(places)
    score = np.where(right, random.uniform(0.3, 1, len(picture)), random.uniform(0.05, 0.6))
    order = np.argsort(-score, kind="stable")
    return Boxes(
        tuple(int(p) for p in picture[order]),
        tuple(round(float(s), 6) for s in score[order]),
        tuple(bool(r) for r in right[order]),
    )


def _stated(item: Evidence, outcomes: Outcomes) -> Evidence:
    answers = outcomes.subject(item.subject, item.engine, item.precision)
    if item.metric != "ap50" or answers is None:
        return item
    return msgspec.structs.replace(item, value=figure(outcomes, answers))


def _more(item: Evidence) -> list[Evidence]:
    """The other figures of a variant, made after its ap50."""
    if item.metric != "ap50_minus_fp32":
        return []
    more = [
        msgspec.structs.replace(
            item, metric=metric, value=value, interval=None, against_sha256=None
        )
        for metric, value in (("latency_ms", 1.0), ("memory_bytes", 1e7))
    ]
    ece = msgspec.structs.replace(
        item, metric="ece", value=0.05, interval=(0.03, 0.07), against_sha256=None
    )
    same = msgspec.structs.replace(item, metric="agreement", value=0.97, interval=(0.94, 0.99))
    return [*more, ece, *([same] if item.subject != "onnx-fp32" else [])]
