"""All that a compression tried, for people: one HTML file, and a table for the terminal."""

from edgefactory.pipelines.compresspage.page import write_page
from edgefactory.pipelines.compresspage.table import print_attempts
from edgefactory.pipelines.compresspage.wording import claim

__all__ = ["claim", "print_attempts", "write_page"]
