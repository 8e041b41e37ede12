"""Where tables are printed: stdout, with room for them where no terminal says how wide it is."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH: Final = 110  # columns where there is no terminal to ask


def tables_console() -> "Console":
    """The console for tables."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PLAIN_WIDTH, highlight=False)
