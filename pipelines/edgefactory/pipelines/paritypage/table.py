"""A comparison on a terminal."""

from __future__ import annotations

from edgefactory.compress.parity import Parity
from edgefactory.pipelines.consoles import tables_console
from edgefactory.pipelines.paritypage import wording


def print_parity(found: Parity) -> None:
    """The tests, and the chain where it was gone along."""
    from rich.table import Table

    console = tables_console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, head in enumerate(wording.HEADS):
        table.add_column(head, justify="right" if 0 < place < 4 else "left")
    for row in wording.rows(found):
        table.add_row(*row)
    console.print(table)
    if found.bisection is None or not found.bisection.steps:
        return
    chain = Table(box=None, pad_edge=False, header_style="dim")
    for place, head in enumerate(("stage", "what", "", "decisions changed")):
        chain.add_column(head, justify="right" if place == 3 else "left")
    for step in found.bisection.steps:
        chain.add_row(*wording.step_row(step))
    console.print()
    console.print(chain)
