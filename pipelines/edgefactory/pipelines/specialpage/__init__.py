"""`specialise.html`: a specialist beside its teacher, in figures and pictures."""

from edgefactory.pipelines.specialpage.page import PAGE, write_page
from edgefactory.pipelines.specialpage.wording import claim, rows

__all__ = ["PAGE", "claim", "rows", "write_page"]
