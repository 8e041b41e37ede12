"""What the figures do not show, said from the figures themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from edgefactory.pipelines.report.inputs import Inputs
from edgefactory.pipelines.report.schema import Summary
from edgefactory.pipelines.report.wording import interval, times


def caveats(inputs: Inputs, summary: Summary) -> list[str]:
    """Sentences, the weightiest first."""
    return [
        *_truth(inputs, summary),
        *_sample(summary),
        *_teacher(summary),
        *_executed(summary),
        *_cost(summary),
        *_branch(inputs, summary),
    ]


def _truth(inputs: Inputs, summary: Summary) -> Iterator[str]:
    if summary.truth == "teacher":
        yield (
            "Nobody annotated this footage independently: quality is measured against the "
            "teacher’s labels, and says how well the specialist imitates, not how right it is."
        )
    elif summary.truth == "human" and inputs.truth is not None:
        who = inputs.truth.annotators
        alone = "one annotator, so how far two would agree is not known" if len(who) == 1 else ""
        yield (
            f"The truth was annotated independently of the teacher by {', '.join(who)}"
            f"{f': {alone}' if alone else ''}. How it was made is told in full below."
        )
    elif summary.truth == "imported":
        yield "The truth was imported with the data set, and is as good as its makers’ care."


def _sample(summary: Summary) -> Iterator[str]:
    best = summary.best
    if best.interval is not None:
        yield (
            f"{summary.pictures} held-out pictures put the {summary.headline} figure at "
            f"{interval(best.interval)} with 95% confidence (bootstrap over pictures; neighbours "
            "in time are alike, so the true interval is wider). Smaller differences prove nothing."
        )
    if summary.task == "detection":
        yield (
            "One camera, one scene: the held-out part comes from the same clip, "
            "later in time. Another camera needs its own specialist and its own evidence."
        )


def _teacher(summary: Summary) -> Iterator[str]:
    if summary.teacher is not None:
        yield (
            "The teacher is the general detector, tiled as it was for the labels. Other tiles can "
            "make it better, slower still, and its labels with it: better than this teacher is "
            "not better than every way to run it."
        )


def _executed(summary: Summary) -> Iterator[str]:
    built = [name for name, figures in summary.specialist.items() if figures.n is None]
    if built:
        verb = "was" if len(built) == 1 else "were"
        yield f"{', '.join(built)} {verb} built here but not run here: there is no figure for it."
    for name, reason in summary.skipped.items():
        yield f"{name} was not made: {reason.rstrip('.')}."


def _cost(summary: Summary) -> Iterator[str]:
    best = summary.best
    if best.time_ratio_best is not None and summary.teacher is not None:
        yield (
            f"Times are medians of the engine call on this host with {best.threads} thread; "
            f"against the teacher’s own best precision the specialist takes "
            f"{times(best.time_ratio_best)} less time."
        )
    yield (
        "Multiply-accumulates stand in for energy: they are counted from the graph, no power was "
        "measured."
    )


def _branch(inputs: Inputs, summary: Summary) -> Iterator[str]:
    edge = summary.edge
    if edge is None:
        yield "No branch has run this release yet."
        return
    if edge.people_counted is not None and edge.true_count is None:
        yield "Nobody annotated the crossings of this line, so the branch’s count is not checked."
    if edge.people_counted is not None and edge.true_count is not None:
        yield (
            f"{edge.true_count} crossings are few, and for the public clip the tracker’s rules "
            "were written while looking at these frames: a count that is right here shows that the "
            "chain works, not how often it miscounts."
        )
    if inputs.branch is not None and inputs.branch.install is not None:
        yield (
            "The branch is a separate process with its own environment on the same machine, fed "
            "over HTTP from a local static server; no branch hardware was involved."
        )
