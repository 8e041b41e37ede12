"""The command line, the production lines that it drives, the demo and the report."""

from edgefactory.pipelines.cli import main

__all__ = ["main"]
