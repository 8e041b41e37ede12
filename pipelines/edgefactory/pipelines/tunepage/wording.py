"""What a search's figures are called, and what they say, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from edgefactory.pipelines.evalpage.wording import FIGURES, bounds, value
from edgefactory.pipelines.report.wording import count, milliseconds, size
from edgefactory.training.tuning.budgets import Budget, Quantity
from edgefactory.training.tuning.document import Candidate, File, Tune
from edgefactory.training.tuning.search import FIRST
from edgefactory.training.tuning.space import ARCHITECTURE, Value, Values

QUANTITIES: Final[Mapping[Quantity, str]] = {
    "latency_ms": "latency",
    "bytes": "size",
    "macs": "multiply-accumulates",
    "parameters": "weights",
}
GUARD: Final = (
    "A latency counts by the upper end of its interval and 4% more, so that the winner keeps the "
    "budget when it is measured again."
)
_LISTED: Final = 2  # budgets whose figures stand in the claim
_NEAR: Final = 0.8  # of a budget: from there on it is what holds the model back
_LITTLE: Final = 0.005  # of the metric: less is not told apart on a val split of usual size
_TOLD: Final = 3  # keys that are said to have mattered


def quantity(figure: float, of: Quantity) -> str:
    """A figure with its unit: 0.46 ms, 337 kB, 71 M."""
    if of == "latency_ms":
        return milliseconds(figure)
    return size(round(figure)) if of == "bytes" else count(figure)


def budget_name(budget: Budget) -> str:
    """What a budget is about: "latency, onnxruntime:f32"."""
    return QUANTITIES[budget.quantity] + (f", {budget.form}" if budget.form else "")


def claim(found: Tune) -> str:
    """The result in a line: "AP50 0.763 on val at 0.46 ms, the best of 23 candidates"."""
    checks, name = found.winner.checks, metric(found)
    said = f"{name[0].upper()}{name[1:]} {found.winner.value:.3f} on val"
    if any(not check.holds for check in checks):
        said += ", over the budget when measured again"
    elif len(checks) > _LISTED:
        said += f" within all {len(checks)} budgets"
    elif checks:
        figures = (quantity(check.figure, check.budget.quantity) for check in checks)
        said += f" at {' and '.join(figures)}"
    return f"{said}, the best of {candidates(found)}"


def candidates(found: Tune) -> str:
    """ "23 candidates"."""
    return f"{len(found.candidates)} candidate{'s' if len(found.candidates) != 1 else ''}"


def metric(found: Tune) -> str:
    """The metric's name."""
    return FIGURES[found.metric].name


def architecture(values: Values) -> str:
    """What decides a candidate's cost, in few words."""
    words = [str(values["model"])] if "model" in values else []
    if "resolution" in values:
        words.append(shown(values["resolution"]))
    words += [f"{key} {values[key]}" for key in ("width", "depth", "embedding") if key in values]
    return ", ".join(words) or "as the start"


def spent(candidate: Candidate, budget: Budget) -> str:
    """What a candidate costs of a budget."""
    figure = candidate.cost.of(budget)
    return "–" if figure is None else quantity(figure, budget.quantity)


def settings(values: Values, found: Tune) -> str:
    """What else was chosen for a candidate, where it is not as in the start."""
    first = found.candidate(FIRST).values
    told = [key for key in values if key not in ARCHITECTURE and values[key] != first[key]]
    return ", ".join(f"{key.removeprefix('augment.')} {shown(values[key])}" for key in told)


def shown(value: Value) -> str:
    """A value as people write it."""
    if isinstance(value, tuple):
        return f"{value[0]}×{value[1]}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def judged(file: File, split: Literal["val", "test"], found: Tune) -> str:
    """The metric of a file on a split: "0.861 (0.832–0.889)"; "" where it was not judged."""
    figure = file.figures.get(split, {}).get(found.metric)
    if figure is None:
        return ""
    interval = bounds(figure)
    return f"{value(figure)} ({interval})" if interval else value(figure)


def explained(found: Tune) -> list[str]:
    """Why this one, what the budget excluded, what mattered, what a larger budget would buy."""
    return [
        said
        for part in (_why, _start, _longer, _left_out, _stopped, _mattered, _next)
        if (said := part(found))
    ]


def _why(found: Tune) -> str:
    winner = found.candidate(found.winner.number)
    complete = sorted(
        (c for c in found.candidates if c.state == "complete" and c.number != winner.number),
        key=lambda c: -(c.value or 0.0),
    )
    said = (
        f"Candidate {winner.number} ({architecture(winner.values)}) has the highest "
        f"{metric(found)} on the val split of the {len(complete) + 1} that were trained to the "
        f"end: {winner.value or 0:.3f}."
    )
    if not complete:
        return said
    second = complete[0]
    gap = (winner.value or 0.0) - (second.value or 0.0)
    said += f" The next, candidate {second.number}, has {second.value or 0:.3f}"
    return f"{said}: so small a difference may be chance." if gap < _LITTLE else f"{said}."


def _start(found: Tune) -> str:
    if found.winner.number == FIRST:
        return "The winner is the recipe that the search began with: nothing else was better."
    first = found.candidate(FIRST)
    fits = all(
        getattr(found.start, key) == value
        for key, value in first.values.items()
        if key in ARCHITECTURE
    )
    how = (
        "keeps the budget as it is" if fits else f"was scaled down to {architecture(first.values)}"
    )
    if first.value is None:
        return f"The starting recipe {how}, and could not be trained: {first.why}."
    best = found.candidate(found.winner.number).value or 0.0
    return f"The starting recipe {how}; it has {first.value:.3f}, {best - first.value:.3f} less."


def _longer(found: Tune) -> str:
    if not found.winner.longer:
        return ""
    after = found.winner.cut_after
    cut = f"; the machine became slower, and the time was over after {after}" if after else ""
    return (
        f"In the time that was left it was trained anew for {found.winner.recipe.epochs} epochs "
        f"instead of {found.epochs}, which brought it to {found.winner.value:.3f}{cut}."
    )


def _left_out(found: Tune) -> str:
    if not found.dropped:
        return "No architecture that was looked at is over the budget." if found.budgets else ""
    over = sum(bool(one.breaks) for one in found.dropped)
    implied = sum(bool(one.as_large_as) for one in found.dropped)
    refused = sum(bool(one.refused) for one in found.dropped)
    parts = [
        f"{n} {what}"
        for n, what in (
            (over, "measured over a budget"),
            (implied, "as large as one of these in every way"),
            (refused, "refused by an engine"),
        )
        if n
    ]
    said = f"Dropped before training: {', '.join(parts)}."
    guarded = any(budget.quantity == "latency_ms" for budget in found.budgets)
    return f"{said} {GUARD}" if over and guarded else said


def _stopped(found: Tune) -> str:
    stopped = [c for c in found.candidates if c.state == "stopped"]
    failed = [c for c in found.candidates if c.state == "failed"]
    said = ""
    if stopped:
        epochs = sorted({c.epochs for c in stopped})
        after = " or ".join(map(str, epochs))
        said = f"Stopped early: {len(stopped)}, after {after} of {found.epochs} epochs."
    if failed:
        said += f" Failed: {len(failed)}; the first one: {failed[0].why}."
    return said.strip()


def _mattered(found: Tune) -> str:
    if not found.mattered:
        return "Too few candidates were trained to say which settings mattered."
    told = [f"{key} ({share:.0%})" for key, share in list(found.mattered.items())[:_TOLD]]
    return (
        f"What mattered most for {metric(found)} after {found.rungs[0]} epochs: {', '.join(told)}."
    )


def _next(found: Tune) -> str:
    checks = found.winner.checks
    if not checks:
        return ""
    tightest = max(checks, key=lambda c: c.figure / c.budget.limit)
    used = tightest.figure / tightest.budget.limit
    about = budget_name(tightest.budget)
    if used < _NEAR:
        return (
            f"No budget holds it back: it uses {used:.0%} of the {about} that it may. A larger "
            "budget would buy nothing that this search has seen."
        )
    said = f"It uses {used:.0%} of the {about} that it may."
    bought = _bought(found, tightest.budget)
    if bought:
        said += f" {bought}"
    following = next((one for one in found.larger if one.budget == tightest.budget), None)
    if following is not None:
        limit = quantity(following.limit, tightest.budget.quantity)
        said += f" The next larger architecture, {following.name}, needs a budget of {limit}."
    return said


def _bought(found: Tune, budget: Budget) -> str:
    """What the last step along the front has brought."""
    front = [found.candidate(number) for number in found.front]
    below = [c for c in front if (c.cost.of(budget) or 0) < _NEAR * budget.limit]
    if not below or not front:
        return ""
    best, top = max(below, key=lambda c: c.value or 0), front[-1]
    gain = (top.value or 0.0) - (best.value or 0.0)
    spent = quantity(best.cost.of(budget) or 0, budget.quantity)
    return (
        f"The best at no more than {spent} has {best.value or 0:.3f}, so the rest of the budget "
        f"bought {gain:.3f}."
    )
