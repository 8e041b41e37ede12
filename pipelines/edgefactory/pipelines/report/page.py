"""The page: figures and pictures put into words and into one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from edge_runtime.contract import LineCrossed, VoucherRead
from edgefactory.pipelines.report import wording
from edgefactory.pipelines.report.caveats import caveats
from edgefactory.pipelines.report.compare import compare
from edgefactory.pipelines.report.drawing import Plot
from edgefactory.pipelines.report.embed import file_uri, picture_uri
from edgefactory.pipelines.report.gallery import build_gallery
from edgefactory.pipelines.report.headline import figures, lead, title, truth_says
from edgefactory.pipelines.report.inputs import Branch, Inputs
from edgefactory.pipelines.report.origin import lineage
from edgefactory.pipelines.report.plots import (
    Crossing,
    Series,
    crossings_plot,
    trade_plot,
    training_plot,
)
from edgefactory.pipelines.report.schema import Summary
from edgefactory.pipelines.report.story import tell
from edgefactory.pipelines.report.summarise import true_crossings

TEMPLATES = Path(__file__).with_name("templates")
MOST_PAGE_BYTES = 6_000_000
MOST_CLIP_BYTES = 4_000_000
MOST_VOUCHERS = 8


@dataclass(frozen=True)
class Voucher:
    """A strip of digits: its picture, what was read, what it is, the least probability."""

    name: str
    uri: str
    read: str
    truth: str
    confidence: float


def render(inputs: Inputs, summary: Summary) -> str:
    """The page as HTML; the annotated clip is left out where the page would grow too large."""
    context = _context(inputs, summary)
    without = _template().render(context)
    clip = _clip(inputs.branch, MOST_PAGE_BYTES - len(without.encode()))
    if clip is None:
        left_out = inputs.branch is not None and inputs.branch.clip is not None
        return _template().render(context, clip_left_out=left_out) if left_out else without
    return _template().render(context, clip=clip)


def _context(inputs: Inputs, summary: Summary) -> dict[str, object]:
    gallery = build_gallery(inputs, summary.headline)
    steps = tell(inputs)
    known = [step.seconds for step in steps if step.seconds is not None]
    branch = inputs.branch
    vouchers = _vouchers(inputs)
    by_confidence = sorted(vouchers, key=lambda v: v.confidence)
    return {
        "inputs": inputs,
        "s": summary,
        "css": (TEMPLATES / "page.css").read_text(encoding="utf-8"),
        "title": title(summary),
        "lead": lead(inputs, summary),
        "figures": figures(summary),
        "truth_says": truth_says(summary),
        "gallery": gallery,
        "pictures": [*([gallery.hero] if gallery.hero else []), *gallery.sheets],
        "count_line": _count_line(inputs),
        "trade_off": trade_plot(gallery.trades) if gallery.trades else None,
        "steps": steps,
        "total": sum(known),
        "longest": max(known, default=1.0) or 1.0,
        "comparison": compare(inputs, summary),
        "crossings": _crossings(inputs),
        "vouchers": vouchers[:MOST_VOUCHERS],
        "hero_vouchers": by_confidence[len(vouchers) // 6 :: max(1, len(vouchers) // 3)][:3],
        "heatmap": picture_uri(branch.heatmap) if branch and branch.heatmap else None,
        "install": branch.install if branch else None,
        "told": branch.status if branch else None,
        "refused": _refused(branch),
        "curves": _curves(inputs),
        "nodes": lineage(inputs, summary),
        "licences": _card_list(inputs.card or "", "Licences"),
        "caveats": caveats(inputs, summary),
        "clip": None,
        "clip_left_out": False,
    }


def page_environment(templates: Path) -> jinja2.Environment:
    """How a page is made of the folder `templates`: escaped, and an unknown name is an error.

    The report's own templates, and so its macros, are there too.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": wording.short,
        "size": wording.size,
        "count": wording.count,
        "times": wording.times,
        "ms": wording.milliseconds,
        "seconds": wording.seconds,
        "quality": wording.quality,
        "interval": wording.interval,
        "signed": wording.tick,
        "difference": wording.difference,
        "significant": wording.significant,
        "figure": wording.figure,
        "required": wording.required,
    }
    return environment


def _template() -> jinja2.Template:
    return page_environment(TEMPLATES).get_template("page.html.j2")


def _clip(branch: Branch | None, room: int) -> str | None:
    """The clip as a data URI, if it is small enough for the page and for `room` bytes."""
    if branch is None or branch.clip is None:
        return None
    return file_uri(branch.clip, "video/mp4", min(MOST_CLIP_BYTES, room * 3 // 4 - 1024))


def _count_line(inputs: Inputs) -> tuple[float, float, float, float] | None:
    if inputs.truth is None or inputs.truth.line is None:
        return None
    return (*inputs.truth.line.start, *inputs.truth.line.end)


def _crossings(inputs: Inputs) -> Plot | None:
    branch = inputs.branch
    if branch is None or "in" not in branch.run.counts:
        return None
    counted = [
        Crossing(e.seconds, e.direction) for e in branch.events if isinstance(e, LineCrossed)
    ]
    true = true_crossings(inputs)
    start = branch.run.first_frame / inputs.footage.fps
    return crossings_plot(
        counted,
        None if true is None else [Crossing(*t) for t in true],
        (start, start + branch.run.frames / inputs.footage.fps),
    )


def _vouchers(inputs: Inputs) -> list[Voucher]:
    """The vouchers as they were read, wrong ones first."""
    strips = {v.name: v for v in inputs.footage.vouchers}
    read = [e for e in inputs.branch.events if isinstance(e, VoucherRead)] if inputs.branch else []
    known = [e for e in read if e.voucher in strips]
    known.sort(key=lambda e: (e.digits == strips[e.voucher].digits, e.confidence))
    return [
        Voucher(
            e.voucher,
            picture_uri(inputs.folder / "footage" / strips[e.voucher].file),
            e.digits,
            strips[e.voucher].digits,
            e.confidence,
        )
        for e in known
    ]


def _refused(branch: Branch | None) -> dict[str, list[str]]:
    """The variants that the branch did not run, by reason."""
    reasons: dict[str, list[str]] = {}
    if branch is not None and branch.status is not None:
        for name, reason in branch.status.once.refused.items():
            reasons.setdefault(reason, []).append(name)
    return reasons


def _curves(inputs: Inputs) -> Plot | None:
    epochs = inputs.curves.epochs
    if len(epochs) < 2:
        return None
    name = "AP50" if inputs.curves.metric == "ap50" else "accuracy"
    panels = [Series("training loss", tuple(e.loss for e in epochs))]
    judged: Sequence[float] = [e.val for e in epochs if e.val is not None]
    if len(judged) == len(epochs):
        panels.append(Series(f"{name} on the val part", tuple(judged)))
    return training_plot(panels)


def _card_list(card: str, heading: str) -> list[str]:
    """The items of the list below `## heading` in the model card."""
    _, _, rest = card.partition(f"\n## {heading}\n")
    body = rest.partition("\n## ")[0]
    return [line[2:] for line in body.splitlines() if line.startswith("- ")]
