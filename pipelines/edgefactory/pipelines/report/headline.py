"""What the page says first: a title that the figures carry, and the four figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from edgefactory.pipelines.report.inputs import Inputs
from edgefactory.pipelines.report.schema import Figures, Summary
from edgefactory.pipelines.report.wording import (
    interval,
    milliseconds,
    quality,
    size,
    times,
)


@dataclass(frozen=True)
class Figure:
    """One of the figures at the top: its name, its value, and what to hold it against."""

    name: str
    value: str
    note: str


def title(summary: Summary) -> str:
    """One sentence that the figures carry, and no more than they carry."""
    if summary.gate is not None and not summary.gate.passed:
        return "The gate said no"
    best, ratio = summary.best, summary.time_ratio
    if best.accuracy is not None:
        return f"Reads {best.accuracy:.1%} of {summary.name} right, in {size(best.bytes)}"
    if best.minus_teacher is None or ratio is None:
        return "A specialist for one scene"
    if best.minus_teacher >= -0.01:
        return f"Finds people as well as its teacher, in 1/{ratio:,.0f} of the time"
    return f"1/{ratio:,.0f} of its teacher’s time, at {quality(-best.minus_teacher)} less AP50"


def lead(inputs: Inputs, summary: Summary) -> str:
    """What was done, in two sentences."""
    if summary.gate is not None and not summary.gate.passed:
        failed = summary.gate.failed
        count = f"{len(failed)} of {summary.gate.rules} rules fail"
        return f"This release may not be signed: {count}. The first: {'; '.join(failed[:1])}."
    clip = inputs.sources.get("clip")
    footage = clip.file if clip and clip.file else summary.name
    made = f"A {size(summary.best.bytes)} specialist"
    if summary.task == "classification":
        made = f"{made}, trained on {footage} and judged on {summary.pictures} held-out pictures"
    else:
        made = (
            f"{made}, taught by a general detector on the first part of {footage} and judged on "
            f"{summary.pictures} later pictures"
        )
    ran = ""
    if summary.edge is not None:
        ran = (
            " Signed, published, fetched and verified by a branch without torch, "
            f"it takes {milliseconds(summary.edge.infer_ms)} a picture there."
        )
    return f"{made} {truth_says(summary)}.{ran}"


def truth_says(summary: Summary) -> str:
    """By whose labels the held-out pictures were judged."""
    return {
        "human": "annotated independently of the teacher",
        "teacher": "against the teacher’s labels",
        "imported": "with imported labels",
    }[summary.truth]


def figures(summary: Summary) -> list[Figure]:
    """The four figures that matter."""
    best, teacher = summary.best, summary.teacher
    return [
        _quality(best, teacher),
        _speed(summary, best),
        Figure(
            f"Size, {best.precision.upper()}",
            size(best.bytes),
            f"teacher {size(teacher.bytes)}" if teacher and teacher.bytes else summary.headline,
        ),
        _branch(summary),
    ]


def _quality(best: Figures, teacher: Figures | None) -> Figure:
    name = "AP50" if best.ap50 is not None else "Accuracy"
    notes = []
    if best.interval is not None:
        notes.append(f"95%: {interval(best.interval)}")
    if teacher is not None and teacher.quality is not None:
        notes.append(f"teacher {quality(teacher.quality)}")
    value = "–" if best.quality is None else quality(best.quality)
    return Figure(f"{name}, {best.precision.upper()}", value, "; ".join(notes))


def _speed(summary: Summary, best: Figures) -> Figure:
    if summary.time_ratio is None:
        value = "–" if best.latency_ms is None else milliseconds(best.latency_ms)
        return Figure("A picture takes", value, "one thread, engine call")
    note = "both as one thread"
    if best.time_ratio_best:
        note = f"{times(best.time_ratio_best)} against its best precision"
    return Figure("Less time than the teacher", times(summary.time_ratio), note)


def _branch(summary: Summary) -> Figure:
    edge = summary.edge
    if edge is None:
        return Figure("At the branch", "–", "not run yet")
    if edge.people_counted is not None:
        if edge.true_count is None:
            return Figure("People counted", str(edge.people_counted), "crossings not annotated")
        if edge.people_counted == edge.true_count:
            value = f"{edge.people_counted} of {edge.true_count}"
            return Figure("People counted", value, "as many as were annotated")
        note = f"annotated: {edge.true_count}"
        return Figure("People counted", str(edge.people_counted), note)
    if edge.vouchers is not None:
        value = f"{edge.vouchers_right} of {edge.vouchers}"
        return Figure("Vouchers read right", value, "six digits each, at the branch")
    return Figure("Frames at the branch", f"{edge.frames:,}", f"site {edge.site}")
