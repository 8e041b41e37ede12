"""Teacher against each variant: the rows of the comparison, with where things lie on its axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgefactory.pipelines.report.axes import Axis, decades, linear
from edgefactory.pipelines.report.inputs import Inputs
from edgefactory.pipelines.report.schema import Figures, Interval, Summary
from edgefactory.pipelines.report.summarise import teacher_figures
from edgefactory.pipelines.report.wording import MINUS
from edgefactory.registry.policy import NonInferiority

ENGINES = {
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT-RTX",
}


@dataclass(frozen=True)
class Row:
    """A model in the comparison; `executed` is False for an engine that was only built."""

    name: str
    engine: str
    figures: Figures
    is_teacher: bool
    is_headline: bool

    @property
    def executed(self) -> bool:
        """Whether this file was run here at all."""
        return self.figures.n is not None or self.figures.latency_ms is not None


@dataclass(frozen=True)
class Differences:
    """Paired differences of the variants to one reference: (variant, value, 95% interval).

    `margin` is how far below the reference the gate lets INT8 be, if it says so.
    """

    against: str
    rows: tuple[tuple[str, float, Interval], ...]
    axis: Axis
    margin: float | None


@dataclass(frozen=True)
class Comparison:
    """The rows and axes. `margin` is the gate's line, in the unit of quality, if it draws one."""

    metric: str
    rows: tuple[Row, ...]
    quality: Axis
    latency: Axis
    margin: float | None
    margin_says: str
    differences: tuple[Differences, ...]


def compare(inputs: Inputs, summary: Summary) -> Comparison:
    """The teacher's rows first, then the variants in the order of variants.json."""
    rows = [_row("Teacher", f, True, False) for f in teacher_figures(inputs)]
    rows += [
        _row(name, f, False, name == summary.headline) for name, f in summary.specialist.items()
    ]
    margin, says = _margin(inputs, summary)
    bounds = [b for row in rows for b in (row.figures.interval or ())]
    bounds += [row.figures.quality for row in rows if row.figures.quality is not None]
    bounds += [margin] if margin is not None else []
    latencies = [r.figures.latency_ms for r in rows if r.figures.latency_ms]
    return Comparison(
        metric="AP50" if summary.task == "detection" else "Accuracy",
        rows=tuple(rows),
        quality=linear(bounds),
        latency=decades(latencies),
        margin=margin,
        margin_says=says,
        differences=tuple(_differences(inputs, summary)),
    )


def _row(name: str, figures: Figures, is_teacher: bool, is_headline: bool) -> Row:
    engine = f"{ENGINES.get(figures.engine, figures.engine)}, {figures.precision}"
    return Row(name, engine, figures, is_teacher, is_headline)


def _margin(inputs: Inputs, summary: Summary) -> tuple[float | None, str]:
    """Below which quality an INT8 variant fails the gate: the reference less the margin."""
    fp32 = summary.specialist.get("onnx-fp32")
    references = {
        "teacher": summary.teacher.quality if summary.teacher else None,
        "fp32": fp32.quality if fp32 else None,
    }
    for name, value in references.items():
        margin = _allowed(inputs, name)
        if margin is not None and value is not None:
            return value - margin, f"{name.replace('fp', 'FP')} {MINUS} {margin:g}"
    return None, ""


def _allowed(inputs: Inputs, reference: str) -> float | None:
    """The margin of the policy's rule about differences to `reference`."""
    for rule in inputs.policy.rules if inputs.policy else ():
        if isinstance(rule, NonInferiority) and rule.metric.endswith(f"_minus_{reference}"):
            return rule.margin
    return None


def _differences(inputs: Inputs, summary: Summary) -> Iterator[Differences]:
    found = {
        "teacher": [
            (n, f.minus_teacher, f.minus_teacher_interval) for n, f in summary.specialist.items()
        ],
        "fp32": [(n, f.minus_fp32, f.minus_fp32_interval) for n, f in summary.specialist.items()],
    }
    for reference, entries in found.items():
        rows = tuple((n, v, i) for n, v, i in entries if v is not None and i is not None)
        margin = _allowed(inputs, reference)
        bounds = [0.0, *([-margin] if margin else []), *(b for row in rows for b in row[2])]
        if rows:
            against = "the teacher" if reference == "teacher" else "FP32"
            yield Differences(against, rows, linear(bounds), margin)
