"""Figures as people read them, on the page and in a terminal."""

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from edgefactory.pipelines.report import build_report, show_summary
from edgefactory.pipelines.report import wording as w
from edgefactory.pipelines.report.axes import Axis
from edgefactory.pipelines.report.plots import Crossing, Series, crossings_plot, training_plot


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (w.size(226_117), "226 kB"),
        (w.size(12_900_000), "12.9 MB"),
        (w.size(17), "17 B"),
        (w.count(83e6), "83.0 M"),
        (w.times(312.4), "312×"),
        (w.times(8.34), "8.3×"),
        (w.milliseconds(0.84), "0.840 ms"),
        (w.milliseconds(2100), "2.1 s"),
        (w.tick(-0.004), "−0.004"),
        (w.tick(0.0), "0"),
        (w.difference(-0.00379), "−0.004"),
        (w.tick(0.02), "+0.02"),
        (w.seconds(61.2), "61 s"),
        (w.seconds(185), "3 min 5 s"),
        (w.figure(-0.0043), "−0.0043"),
        (w.figure(226117.0), "226,117"),
        (w.required("bytes ≤ 1e+06"), "bytes ≤ 1,000,000"),
        (w.required("ap50_minus_fp32 ≥ -0.01"), "ap50_minus_fp32 ≥ −0.01"),
        (w.required("every figure belongs"), "every figure belongs"),
    ],
)
def test_figures_in_words(said: str, expected: str) -> None:
    assert said == expected


def test_axes_place_values_in_percent() -> None:
    assert Axis(0.8, 0.9, ()).place(0.85) == pytest.approx(50)
    assert Axis(0.1, 1000, (), log=True).place(10) == pytest.approx(50)
    assert Axis(0.8, 0.9, ()).place(2) == 100


def test_plots_are_well_formed_and_take_the_pages_colours() -> None:
    plots = [
        training_plot([Series("loss", (3.0, 1.0)), Series("AP50", (0.2, 0.8765))]),
        crossings_plot([Crossing(57, "in")], [Crossing(57.2, "out")], (56, 79.5)),
        crossings_plot([], None, (0, 10)),
    ]
    for plot in plots:
        for drawing in (plot.wide, plot.narrow):
            ET.fromstring(drawing)  # noqa: S314 - our own drawing
            assert "var(--accent)" in drawing
            assert "#0000" not in drawing
            assert "<style" not in drawing
    assert "0.876" in plots[0].wide or "0.877" in plots[0].wide
    assert plots[1].alt == "People counted over time: 1 by the branch, 1 annotated."


@pytest.mark.parametrize("line", ["finished", "digits"])
def test_the_terminal_summary_fits_and_is_plain_when_piped(
    line: str, request: pytest.FixtureRequest
) -> None:
    workspace: Path = request.getfixturevalue(line)
    summary = build_report(workspace, workspace / "report.html", workspace / "summary.json")
    out = io.StringIO()
    show_summary(summary, Console(file=out, width=200), Path("report.html"))
    said = out.getvalue()
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert "onnx-int8" in said
    assert "self-test passed" in " ".join(said.split())
