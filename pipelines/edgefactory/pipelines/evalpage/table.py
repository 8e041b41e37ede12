"""An evaluation as tables on a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgefactory.pipelines.consoles import tables_console
from edgefactory.pipelines.evalpage import wording
from edgefactory.training.evaluation import Evaluation, Slice

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS: Final = 12  # slices of a kind; the file has them all


def print_evaluation(found: Evaluation) -> None:
    """Print the figures, the slices and what else there is to know, to stdout."""
    console = tables_console()
    model = found.model
    console.print(
        f"{wording.called(found)}, {model.task}, by {model.engine} {model.engine_version} in "
        f"{model.precision}\n{found.data.name}: {wording.judged_on(found)}\n",
        markup=False,
    )
    _figures(console, found)
    for by in wording.BY:
        title = wording.title(found, by)
        slices = [part for part in found.slices if part.by == by]
        if slices:
            _slices(console, found, title, slices)
        if by in found.unsliced:
            word = "" if slices else "not "
            says = f"{word}{wording.BY[by]}: {found.unsliced[by]}"
            console.print(says, style="dim", markup=False, soft_wrap=True)
    console.print()
    for says in (wording.point_says(found), wording.calibration_says(found)):
        if says:
            console.print(says, markup=False, soft_wrap=True)
    kinds = found.mistakes_of_kind
    if kinds:
        told = ", ".join(f"{n} {wording.MISTAKES[kind].name.lower()}" for kind, n in kinds.items())
        console.print(f"mistakes: {told}", markup=False, soft_wrap=True)


def _figures(console: Console, found: Evaluation) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("figure", "value", "95% interval", "n", "meaning"):
        table.add_column(title, justify="right" if title in ("value", "n") else "left")
    for name, figure in found.overall().items():
        words = wording.FIGURES[name]
        says = words.means if figure.value is not None else f"not told: {figure.why}"
        table.add_row(
            words.name, wording.value(figure), wording.bounds(figure), f"{figure.n:,}", says
        )
    console.print(table)
    console.print()


def _slices(console: Console, found: Evaluation, title: str, slices: list[Slice]) -> None:
    from rich.markup import escape
    from rich.table import Table

    keys = wording.slice_figures(found, slices[0].by)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title, overflow="fold")
    table.add_column("pictures", justify="right")
    for key in keys:
        table.add_column(wording.FIGURES[key].name)
    told = worst_first(slices, keys)
    for part in told[:MOST_ROWS]:
        cells = [
            f"{wording.value(part.figures.get(key))} {wording.bounds(part.figures.get(key))}"
            for key in keys
        ]
        table.add_row(escape(part.name), f"{part.pictures:,}", *cells)
    if told:
        console.print(table)
    if len(told) > MOST_ROWS:
        console.print(f"and {len(told) - MOST_ROWS} more", style="dim")
    small = wording.too_small(slices)
    if small:
        console.print(
            f"{title}, {small}" if not told else small, style="dim", markup=False, soft_wrap=True
        )
    console.print()


def worst_first(slices: list[Slice], keys: tuple[str, ...]) -> list[Slice]:
    """The slices that have figures: classes and sources by the first one, the worst first; sizes
    and times in their own order."""
    told = [part for part in slices if part.figures]
    if not told or told[0].by in ("size", "time"):
        return told
    return sorted(told, key=lambda part: part.figures[keys[0]].value or 0.0)
