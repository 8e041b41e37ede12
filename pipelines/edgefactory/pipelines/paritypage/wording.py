"""What a comparison amounts to, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgefactory.compress.parity.document import Change, Parity, Step, Tested, Verdict
from edgefactory.training.evaluation import Model

HEADS: Final = ("", "value", "90% interval", "margin", "")
VERDICTS: Final[dict[Verdict, str]] = {
    "equivalent": "within the margin",
    "not-equivalent": "beyond the margin",
    "cannot-tell": "cannot be told",
}
METRICS: Final = {"ap50": "AP50", "accuracy": "accuracy"}


def called(model: Model) -> str:
    """The model as people call it."""
    return f"{model.name} ({model.variant})" if model.variant else model.name


def claim(found: Parity) -> str:
    """The outcome in one sentence, and where the two part."""
    names = f"{called(found.other)} and {called(found.reference)}"
    pictures = f"{found.counts.pictures} pictures"
    said = {
        "equivalent": f"{names} decide the same",
        "not-equivalent": f"{names} do not decide the same",
        "cannot-tell": f"Whether {names} decide the same cannot be told with {pictures}",
    }[found.verdict]
    share = f"{percent(found.changed.value)} of {decisions(found):,} decisions change"
    if found.verdict != "cannot-tell":
        share += f" in {pictures}"
    line = f"{said}: {share}"
    if found.verdict == "cannot-tell" and found.pictures_needed:
        line += f", and {found.pictures_needed} such pictures would show it to be within the margin"
    where = parts(found)
    return f"{line}. {where[0].upper()}{where[1:]}" if where else line


def parts(found: Parity) -> str:
    """Where the two part, in one line; "" where nobody looked."""
    bisection = found.bisection
    if bisection is None:
        return ""
    return bisection.found.says if bisection.found else bisection.why


def decisions(found: Parity) -> int:
    """All decisions that either took; a pair counts once."""
    return found.counts.matched + found.counts.missing + found.counts.extra


def percent(share: float) -> str:
    """2.3%, and never 0% where there is something."""
    return f"{100 * share:.1f}%" if share == 0 or share >= 0.0005 else "under 0.1%"


def rows(found: Parity) -> list[tuple[str, ...]]:
    """The table below `HEADS`."""
    made = [_row("decisions that change", found.changed, percent)]
    if found.moved_score is not None:
        made.append(_row("scores move by, in the mean", found.moved_score, signed))
    metric = found.metric
    if metric is not None:
        bounds = " to ".join(signed(end) for end in metric.interval)
        says = f"95% interval, {metric.pictures} pictures labelled by {labelled(metric.labels)}"
        name = f"{METRICS[metric.name]}, reference less other"
        made.append((name, signed(metric.difference), bounds, "", says))
    return made


def labelled(labels: str) -> str:
    """Who labelled them."""
    return {"human": "people", "teacher": "a teacher"}.get(labels, "an import")


def signed(value: float) -> str:
    """+0.012; 0.000 has no sign."""
    said = f"{value:+.3f}"
    return said[1:] if float(said) == 0 else said


def _row(name: str, test: Tested, write: object) -> tuple[str, ...]:
    assert callable(write)
    bounds = " to ".join(write(end) for end in test.interval)
    return name, write(test.value), bounds, write(test.margin).lstrip("+"), VERDICTS[test.verdict]


def step_row(step: Step) -> tuple[str, str, str, str]:
    """A stage of the chain: its name, what it was, whether it departs, and changed decisions."""
    return (
        step.stage,
        step.what,
        "departs" if step.departs else "the same",
        f"{step.changed:,} of {step.decisions:,}",
    )


def counted(changes: Mapping[Change, int]) -> str:
    """2 missing, 1 extra."""
    return ", ".join(f"{count} {kind}" for kind, count in changes.items())
