"""The whole line in one command: lay a workspace out, run its stages, show what came out."""

from edgefactory.pipelines.demo.layout import Wishes, choose_line, lay_out
from edgefactory.pipelines.demo.repro import Run, reproduce

__all__ = ["Run", "Wishes", "choose_line", "lay_out", "reproduce"]
