"""What a compression's figures are called, and what they say, in sentences. Pure."""

from __future__ import annotations

from typing import Final

from edgefactory.compress.choosing import Attempt, Certified, Compression
from edgefactory.pipelines.report.wording import milliseconds, size

HEADS: Final = (
    "form",
    "latency",
    "faster",
    "floor",
    "size",
    "on val, points",
    "on test, points (95%)",
    "",
)

_METRICS: Final = {"ap50": "AP50", "accuracy": "accuracy"}
_ENGINES: Final = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def metric(found: Compression) -> str:
    """As people call it."""
    return _METRICS.get(found.metric, found.metric)


def claim(found: Compression) -> str:
    """The result in a line: "3.1x faster than FP32 (0.52 ms): openvino-int8, ..."."""
    if not found.chosen:
        return "Nothing keeps the margins and the budgets"
    chosen = found.attempt(found.chosen)
    said = said_network(chosen.network)
    took = milliseconds(chosen.bench.latency_ms) if chosen.bench else "not timed"
    ratio = speedup(found, chosen)
    quicker = f"{ratio:.1f}x faster than FP32" if ratio else "chosen"
    return f"{quicker} ({took}): {chosen.form} of the network {said}, {lost(found, chosen)}"


def said_network(name: str) -> str:
    """A network's name, as it follows "the network"."""
    if name == "trained":
        return "as it was trained"
    if name == "qat":
        return "trained again for INT8"
    return f"trained again, {name}"


def lost(found: Compression, attempt: Attempt) -> str:
    """What it loses, on test where it was certified."""
    proof = certificate(found, attempt)
    if proof is None:
        return f"{points(-(attempt.drop or 0.0))} points on val"
    sure = "not inferior" if proof.non_inferior else "non-inferiority not shown"
    return f"{metric(found)} {proof.value:.3f} on test, {sure}"


def certificate(found: Compression, attempt: Attempt) -> Certified | None:
    """What the test split says of it."""
    return next((one for one in found.certified if one.name == attempt.name), None)


def speedup(found: Compression, attempt: Attempt) -> float | None:
    """How many times less time than the reference, where both were timed."""
    try:
        reference = found.attempt(found.reference)
    except KeyError:
        return None
    if attempt.bench is None or reference.bench is None:
        return None
    return reference.bench.latency_ms / attempt.bench.latency_ms


def points(difference: float) -> str:
    """A difference in hundredths of the metric: "-0.21"."""
    return f"{100 * difference:+.2f}"


def row(found: Compression, attempt: Attempt) -> tuple[str, ...]:
    """An attempt's figures, under `HEADS`."""
    ratio, proof = speedup(found, attempt), certificate(found, attempt)
    interval = ""
    if proof is not None:
        low, high = proof.interval
        interval = f"{points(proof.difference)} ({points(low)}..{points(high)})"
    return (
        attempt.name,
        milliseconds(attempt.bench.latency_ms) if attempt.bench else "–",
        f"{ratio:.2f}x" if ratio else "–",
        milliseconds(found.floor_ms(attempt)) if found.peak_gflops else "–",
        size(attempt.bytes) if attempt.files else "–",
        points(-attempt.drop) if attempt.drop is not None else "–",
        interval,
        note(found, attempt),
    )


def short_note(found: Compression, attempt: Attempt) -> str:
    """The same in a few words."""
    if not attempt.files:
        return "no mixture keeps the margins" if attempt.made == "mixed" else "not made"
    if not attempt.kept:
        return "loses too much"
    if attempt.bench is None:
        return "not timed"
    said = ["chosen"] if attempt.name == found.chosen else []
    if attempt.name == found.reference:
        said.append("reference")
    if attempt.float_layers:
        said.append(f"{len(attempt.float_layers)} layers in float")
    return ", ".join([*said, *([] if attempt.bench.settled else ["not settled"])])


def note(found: Compression, attempt: Attempt) -> str:
    """What is to be said beside the figures."""
    said = []
    if attempt.name == found.chosen:
        said.append("chosen")
    elif attempt.name in found.front:
        said.append("front")
    if attempt.name == found.reference:
        said.append("reference")
    if attempt.float_layers:
        said.append(f"{len(attempt.float_layers)} layers in float")
    worst = next((drop for drop in attempt.drops if drop.excess > 1), None)
    if worst is not None:
        said.append(f"loses too much: {worst}")
    if attempt.bench is not None and not attempt.bench.settled:
        said.append("time not settled")
    if attempt.why:
        said.append(attempt.why)
    return ", ".join(said)


def engine(attempt: Attempt) -> str:
    """As people call it."""
    return _ENGINES.get(attempt.engine, attempt.engine)


def said_bench(found: Compression) -> str:
    """How it was timed, in a sentence."""
    timed = [a.bench for a in found.attempts if a.bench is not None]
    if not timed:
        return "Nothing could be timed."
    first = timed[0]
    where = "this machine" if found.measured_at == "here" else found.measured_at
    unsettled = sum(not one.settled for one in timed)
    said = (
        f"Times are of {where} ({first.host.cpu}), {first.threads} thread"
        f"{'s' if first.threads > 1 else ''}, taken in turns, by {first.clock} time."
    )
    return said + (
        f" {unsettled} of {len(timed)} did not settle: something else was running."
        if unsettled
        else ""
    )
