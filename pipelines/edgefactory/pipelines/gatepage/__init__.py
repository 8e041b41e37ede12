"""A gate's verdict for people: one HTML file, and one screen of a terminal."""

from edgefactory.pipelines.gatepage.page import write_page
from edgefactory.pipelines.gatepage.table import print_verdict
from edgefactory.pipelines.gatepage.wording import claim

__all__ = ["claim", "print_verdict", "write_page"]
