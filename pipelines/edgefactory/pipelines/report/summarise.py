"""From the stages' documents to the figures of `summary.json`: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from edge_runtime.contract import Evidence, Variant, VoucherRead
from edgefactory.datasets.errors import InputError
from edgefactory.pipelines.report.inputs import Branch, Inputs
from edgefactory.pipelines.report.schema import (
    EdgeResult,
    Figures,
    GateResult,
    Interval,
    Summary,
)
from edgefactory.registry.binding import TEACHER, counts_for

# When no branch has run yet: the variant that is meant for any CPU.
PREFERRED = ("onnx-int8", "onnx-fp32")


def summarise(inputs: Inputs) -> Summary:
    """The whole run in figures. Raises InputError when a variant was never measured."""
    book = inputs.evidence.items
    specialist = {v.name: _variant_figures(v, book) for v in inputs.variants.variants}
    measured = {name for name, figures in specialist.items() if figures.n is not None}
    if not measured:
        raise InputError(
            "evidence.json measured none of the files in variants.json; run `edgefactory prove`"
        )
    headline = _headline(inputs, measured)
    teachers = teacher_figures(inputs)
    same_engine = [t for t in teachers if t.engine == specialist[headline].engine]
    return Summary(
        schema="summary/1",
        name=inputs.snapshot.name,
        task=inputs.snapshot.task,
        truth=truth_of(inputs),
        pictures=specialist[headline].n or 0,
        specialist=specialist,
        headline=headline,
        host=inputs.evidence.host,
        teacher=next(iter([*_f32(same_engine), *_f32(teachers), *teachers]), None),
        time_ratio=specialist[headline].time_ratio,
        skipped={s.name: s.reason for s in inputs.variants.skipped},
        gate=_gate(inputs),
        edge=_edge(inputs),
        seconds=inputs.seconds,
    )


def truth_of(inputs: Inputs) -> Literal["human", "teacher", "imported"]:
    """Whose labels the held-out pictures were judged by."""
    return inputs.snapshot.test_labels


def teacher_figures(inputs: Inputs) -> list[Figures]:
    """The teacher once for every engine and precision that it was measured with, f32 first.

    Its quality is measured once, as f32; it stands in the f32 row of every engine.
    """
    rows = [e for e in inputs.evidence.items if e.subject == TEACHER and e.slice == "all"]
    keys = dict.fromkeys((e.engine, e.precision) for e in rows)
    quality = [e for e in rows if e.metric in ("ap50", "accuracy")]
    figures = []
    for engine, precision in keys:
        mine = [e for e in rows if (e.engine, e.precision) == (engine, precision)]
        shared = [e for e in rows if e.metric in ("macs", "bytes") and not _has(mine, e.metric)]
        mine += shared + (quality if precision == "f32" and not _has(mine, "ap50") else [])
        figures.append(_figures(engine, precision, mine[0].file_sha256, mine))
    return sorted(figures, key=lambda f: (f.precision != "f32", f.engine, f.precision))


def _f32(figures: Iterable[Figures]) -> list[Figures]:
    return [f for f in figures if f.precision == "f32"]


def _has(items: Sequence[Evidence], metric: str) -> bool:
    return any(e.metric == metric for e in items)


def _variant_figures(variant: Variant, book: Sequence[Evidence]) -> Figures:
    """Only what was measured on this very file, engine and precision counts."""
    main = variant.files[variant.main].sha256
    mine = [
        e for e in book if e.file_sha256 == main and e.slice == "all" and counts_for(e, variant)
    ]
    size = sum(ref.bytes for ref in variant.files.values())
    return _figures(variant.engine, variant.precision, main, mine, size)


def _figures(
    engine: str, precision: str, sha256: str, items: Sequence[Evidence], size: int | None = None
) -> Figures:
    by_metric = {e.metric: e for e in reversed(items)}

    def value(*names: str) -> float | None:
        return next((by_metric[n].value for n in names if n in by_metric), None)

    def interval(*names: str) -> Interval | None:
        return next((by_metric[n].interval for n in names if n in by_metric), None)

    quality = by_metric.get("ap50") or by_metric.get("accuracy")
    macs, threads = value("macs"), by_metric.get("latency_ms")
    return Figures(
        engine=engine,
        precision=precision,
        sha256=sha256,
        bytes=int(value("bytes") or 0) if size is None else size,
        ap50=value("ap50"),
        accuracy=value("accuracy"),
        interval=quality.interval if quality else None,
        n=quality.n if quality else None,
        minus_teacher=value("ap50_minus_teacher", "accuracy_minus_teacher"),
        minus_teacher_interval=interval("ap50_minus_teacher", "accuracy_minus_teacher"),
        minus_fp32=value("ap50_minus_fp32", "accuracy_minus_fp32"),
        minus_fp32_interval=interval("ap50_minus_fp32", "accuracy_minus_fp32"),
        latency_ms=value("latency_ms"),
        latency_p99_ms=value("latency_p99_ms"),
        frame_ms=value("frame_ms"),
        macs=None if macs is None else int(macs),
        time_ratio=value("time_ratio"),
        time_ratio_best=value("time_ratio_best"),
        time_ratio_frame=value("time_ratio_frame"),
        threads=threads.threads if threads else None,
    )


def _headline(inputs: Inputs, measured: set[str]) -> str:
    ran = [inputs.branch.run.variant] if inputs.branch else []
    order = [v.name for v in inputs.variants.variants]
    return next(name for name in (*ran, *PREFERRED, *order) if name in measured)


def _gate(inputs: Inputs) -> GateResult | None:
    verdict = inputs.verdict
    if verdict is None:
        return None
    failed = tuple(f"{f.rule} ({f.subject}): {f.reason}" for f in verdict.rules if not f.passed)
    return GateResult(passed=verdict.passed, rules=len(verdict.rules), failed=failed)


def _edge(inputs: Inputs) -> EdgeResult | None:
    branch = inputs.branch
    if branch is None:
        return None
    run = branch.run
    people = _people(branch) if inputs.snapshot.task == "detection" else {}
    vouchers = _vouchers(inputs, branch) if inputs.snapshot.task == "classification" else {}
    return EdgeResult(
        site=run.site,
        release=run.release,
        release_name=run.release_name,
        release_version=run.release_version,
        variant=run.variant,
        engine=run.engine,
        engine_version=run.engine_version,
        self_test=run.self_test,
        frames=run.frames,
        infer_ms=run.infer_ms_p50,
        infer_p99_ms=run.infer_ms_p99,
        frame_ms=run.frame_ms_p50,
        people_counted=sum(people.values()) if people else None,
        true_count=true_count(inputs),
        counted=people,
        true=_directions(inputs),
        vouchers=vouchers.get("vouchers"),
        vouchers_read=vouchers.get("read"),
        vouchers_right=vouchers.get("right"),
    )


def _people(branch: Branch) -> dict[str, int]:
    """Crossings by direction; empty when no line was given, for then nothing was counted."""
    return {d: branch.run.counts[d] for d in ("in", "out") if d in branch.run.counts}


def true_crossings(inputs: Inputs) -> list[tuple[float, str]] | None:
    """The annotated crossings in the frames that the branch watched: (seconds, direction).

    None when there is no truth about this line.
    """
    truth, branch = inputs.truth, inputs.branch
    if truth is None or truth.line is None or branch is None:
        return None
    first = branch.run.first_frame
    span = range(first, first + branch.run.frames)
    rate = inputs.footage.fps
    return [(c.frame / rate, c.direction) for c in truth.crossings if c.frame in span]


def true_count(inputs: Inputs) -> int | None:
    """How many crossings were annotated, or None when nobody did."""
    seen = true_crossings(inputs)
    return None if seen is None else len(seen)


def _directions(inputs: Inputs) -> dict[str, int]:
    seen = true_crossings(inputs) or []
    return {d: sum(s[1] == d for s in seen) for d in ("in", "out")} if seen else {}


def _vouchers(inputs: Inputs, branch: Branch) -> dict[str, int]:
    truth = {v.name: v.digits for v in inputs.footage.vouchers}
    read = [e for e in branch.events if isinstance(e, VoucherRead)]
    right = sum(truth.get(e.voucher) == e.digits for e in read)
    return {"vouchers": len(truth), "read": len(read), "right": right}
