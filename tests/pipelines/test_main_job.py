"""The main job on real footage: what the README promises, against the annotated truth.

It takes minutes; without network and without a cached clip it is skipped with the reason.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from edgefactory.datasets import fetch_clip, fetch_teacher
from edgefactory.datasets.errors import MissingError
from edgefactory.pipelines.report import Figures, Summary, read_summary

pytestmark = [pytest.mark.component, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """What a fresh run of the demo on the public clip came to."""
    try:
        fetch_clip()
        fetch_teacher()
    except MissingError as error:
        pytest.skip(str(error))
    root = tmp_path_factory.mktemp("main-job") / "workspace"
    edgefactory = Path(sys.executable).with_name("edgefactory")
    done = subprocess.run(
        [edgefactory, "demo", "--line", "cctv", "--workspace", root],
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return read_summary(root / "summary.json")


def int8(summary: Summary) -> list[Figures]:
    """The INT8 variants that were executed; what a Jetson builds has the figures of one of them."""
    found = [
        figures
        for figures in summary.specialist.values()
        if figures.precision == "int8" and figures.engine in ("onnxruntime", "openvino")
    ]
    assert len(found) == 3
    return found


def test_it_is_judged_against_annotations_and_not_against_the_teacher(summary: Summary) -> None:
    assert summary.truth == "human"
    assert summary.pictures >= 30


def test_every_int8_variant_is_as_good_as_its_teacher_and_as_fp32(summary: Summary) -> None:
    assert summary.teacher is not None
    teacher, fp32 = summary.teacher.ap50, summary.specialist["onnx-fp32"].ap50
    assert teacher is not None
    assert fp32 is not None
    for figures in int8(summary):
        assert figures.ap50 is not None
        assert figures.ap50 >= teacher - 0.01
        assert abs(figures.ap50 - fp32) <= 0.01
        assert figures.bytes <= 1_000_000


def test_it_computes_a_hundredth_of_what_the_teacher_does(summary: Summary) -> None:
    assert summary.teacher is not None
    assert summary.teacher.macs is not None
    for figures in int8(summary):
        assert figures.macs is not None
        assert figures.macs * 100 <= summary.teacher.macs


def test_the_branch_counts_nearly_everyone(summary: Summary) -> None:
    edge = summary.edge
    assert edge is not None
    assert edge.self_test == "passed"
    assert edge.people_counted is not None
    assert edge.true_count == 11
    assert abs(edge.people_counted - edge.true_count) <= 1
