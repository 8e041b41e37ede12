"""What a specialist and its teacher amount to, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgefactory.compress.comparing import Comparison, Figure, Side
from edgefactory.pipelines.report.wording import difference, milliseconds, quality, times
from edgefactory.pipelines.specialising import Specialised

NAMES: Final = {"ap50": "AP50", "ap75": "AP75", "accuracy": "accuracy"}
HEADS: Final = ("", "figure", "value", "95% interval", "processor time")

_ALIKE: Final = 1.05  # ratio of times up to which neither is quicker


def claim(made: Specialised) -> str:
    """The outcome in one sentence, as far as its interval reaches."""
    said = made.comparison
    ratio = said.time_ratio.value
    quicker = f"{times(ratio)} quicker" if ratio > _ALIKE else "no quicker"
    by_teacher = said.labels == "teacher"
    figures = f"{NAMES[said.metric]} {quality(said.first.figures[said.metric].value)}"
    if by_teacher:
        return f"The specialist agrees with its teacher to {figures}, and is {quicker}"
    teacher = quality(said.second.figures[said.metric].value)
    low, high = said.difference.lo, said.difference.hi
    if low is not None and low > 0:
        word = "is better than"
    elif high is not None and high < 0:
        word = "is not as good as"
    else:
        word = "cannot be told from"
    return f"The specialist {word} its teacher ({figures} against {teacher}), and is {quicker}"


def rows(said: Comparison) -> list[tuple[str, ...]]:
    """The table below `HEADS`: each side's figures, then how they differ."""
    made = [row for who, side in _sides(said) for row in _of(who, side)]
    name = NAMES[said.metric]
    value = said.difference
    made.append(
        (
            "specialist less teacher",
            f"{name}, in pairs",
            difference(value.value),
            _bounds(value, signed=True),
            times(said.time_ratio.value) + " less",
        )
    )
    return made


def judged_by(said: Comparison) -> str:
    """Who said what is there."""
    pictures = f"{said.pictures} held-out pictures"
    if said.labels == "teacher":
        return (
            f"{pictures}, labelled by the teacher itself: its own figure says nothing, the "
            "specialist's says how far it agrees. Give --truth for a judgement"
        )
    by = "people" if said.labels == "human" else "labels that were imported"
    return f"{pictures}, judged by {by}"


def _sides(said: Comparison) -> Sequence[tuple[str, Side]]:
    return ("specialist", said.first), ("teacher", said.second)


def _of(who: str, side: Side) -> list[tuple[str, ...]]:
    cells = [
        (NAMES[name], quality(figure.value), _bounds(figure))
        for name, figure in side.figures.items()
    ]
    time = milliseconds(side.frame_ms)
    return [
        (who if first else "", *cell, time if first else "")
        for first, cell in zip((True, *(False for _ in cells[1:])), cells, strict=True)
    ]


def _bounds(figure: Figure, *, signed: bool = False) -> str:
    if figure.lo is None or figure.hi is None:
        return ""
    if signed:
        return f"{difference(figure.lo)} to {difference(figure.hi)}"
    return f"{figure.lo:.3f}–{figure.hi:.3f}"
