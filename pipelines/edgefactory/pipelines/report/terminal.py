"""The run in a terminal: at most 80 columns, plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgefactory.pipelines.report.headline import figures, title, truth_says
from edgefactory.pipelines.report.schema import Figures, Summary
from edgefactory.pipelines.report.wording import (
    count,
    interval,
    quality,
    seconds,
    short,
    significant,
    size,
    times,
)

WIDTH = 80


def show_summary(summary: Summary, console: Console, report: Path | None = None) -> None:
    """Print what the run came to; `report` is the page to point at."""
    console.print(Group(*_parts(summary, report)), width=min(WIDTH, console.width), highlight=False)


def _parts(summary: Summary, report: Path | None) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title(summary), style="bold")
    yield Text(f"{summary.pictures} held-out pictures, {truth_says(summary)}", style="dim")
    yield Text()
    yield _headline(summary)
    yield Text()
    yield _comparison(summary)
    for name, reason in summary.skipped.items():
        yield Text(f"not made: {name} ({reason})", style="dim")
    yield Text()
    yield _closing(summary, report)


def _headline(summary: Summary) -> Table:
    grid = Table.grid(padding=(0, 3))
    told = figures(summary)
    for _ in told:
        grid.add_column()
    grid.add_row(*(Text(f.value, style="bold cyan") for f in told))
    grid.add_row(*(Text(f.name) for f in told))
    grid.add_row(*(Text(f.note, style="dim") for f in told))
    return grid


def _comparison(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("model", no_wrap=True)
    name = "AP50" if summary.task == "detection" else "accuracy"
    for heading in (name, "95% interval", "ms", "less time", "size", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    if summary.teacher is not None:
        table.add_row("teacher", *_cells(summary.teacher))
    for variant, of in summary.specialist.items():
        style = "bold" if variant == summary.headline else ""
        table.add_row(variant, *_cells(of), style=style)
    return table


def _cells(of: Figures) -> tuple[str, ...]:
    return (
        quality(of.quality) if of.quality is not None else "not run",
        interval(of.interval) if of.interval else "",
        significant(of.latency_ms) if of.latency_ms else "",
        times(of.time_ratio) if of.time_ratio else "",
        size(of.bytes) if of.bytes else "",
        count(of.macs) if of.macs else "",
    )


def _closing(summary: Summary, report: Path | None) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    gate, edge = summary.gate, summary.edge
    if gate is not None:
        says = Text("passed", style="green") if gate.passed else Text("refused", style="bold red")
        grid.add_row(
            "gate", says.append(f", {gate.rules - len(gate.failed)} of {gate.rules} rules hold")
        )
        for reason in gate.failed:
            grid.add_row("", Text(reason, style="red"))
    if edge is not None:
        grid.add_row(
            "branch",
            f"{edge.site} runs {edge.release_name} {edge.release_version} "
            f"({short(edge.release)}), {edge.variant}, self-test {edge.self_test}",
        )
    if summary.seconds:
        slowest = sorted(summary.seconds.items(), key=lambda item: -item[1])[:3]
        named = ", ".join(f"{stage} {seconds(value)}" for stage, value in slowest)
        grid.add_row("time", f"{seconds(sum(summary.seconds.values()))} ({named})")
    if report is not None:
        grid.add_row("report", Text(str(report), style="underline"))
    return grid
