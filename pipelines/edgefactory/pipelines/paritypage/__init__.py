"""`parity.json` and `parity.html`: whether two models decide the same, in figures and pictures."""

from edgefactory.pipelines.paritypage.page import write_parity
from edgefactory.pipelines.paritypage.sides import Sides
from edgefactory.pipelines.paritypage.table import print_parity
from edgefactory.pipelines.paritypage.wording import claim

__all__ = ["Sides", "claim", "print_parity", "write_parity"]
