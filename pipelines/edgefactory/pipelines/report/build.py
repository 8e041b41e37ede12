"""From a workspace to the two files that tell what it came to."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.contract import encode
from edgefactory.datasets.files import write_file
from edgefactory.pipelines.report.inputs import read_inputs
from edgefactory.pipelines.report.page import render
from edgefactory.pipelines.report.schema import Summary
from edgefactory.pipelines.report.summarise import summarise


def build_report(workspace: Path, out_html: Path, out_summary: Path) -> Summary:
    """Read what the stages left in `workspace`; write the page and the summary, each whole.

    The stages up to `prove` must have run; of those after them the page says whether they have.
    Raises MissingError, InputError or StorageError.
    """
    inputs = read_inputs(workspace)
    summary = summarise(inputs)
    write_file(out_html, render(inputs, summary).encode())
    write_file(out_summary, encode(summary))
    return summary
