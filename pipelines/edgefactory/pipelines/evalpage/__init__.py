"""What an evaluation found, for people: one HTML file, and a table for the terminal."""

from edgefactory.pipelines.evalpage.page import write_evaluation
from edgefactory.pipelines.evalpage.table import print_evaluation

__all__ = ["print_evaluation", "write_evaluation"]
