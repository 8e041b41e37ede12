"""What a search found, for people: one HTML file, and a table for the terminal."""

from edgefactory.pipelines.tunepage.page import write_search
from edgefactory.pipelines.tunepage.table import print_search
from edgefactory.pipelines.tunepage.wording import claim

__all__ = ["claim", "print_search", "write_search"]
