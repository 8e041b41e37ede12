"""`edge-runtime` as a process: its answers, its refusals, its progress."""

import sys
from pathlib import Path

import pytest

from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.pipelines.branch.edge import Edge

pytestmark = pytest.mark.component


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    """A site that is not enrolled; this environment's Python serves as well as a slim one."""
    return Edge(Path(sys.executable), tmp_path / "state", tmp_path)


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


def test_a_refusal_comes_with_its_own_line_and_kind(edge: Edge) -> None:
    with pytest.raises(
        MissingError, match=r"the branch stopped at `edge-runtime once`: .+ is not enrolled"
    ):
        edge.call(["once", "--model", "cctv-person"], silent)


def test_a_bad_option_is_bad_input(edge: Edge, tmp_path: Path) -> None:
    root = tmp_path / "root.json"
    root.write_text("{}")
    with pytest.raises(EdgefactoryError) as raised:
        edge.call(["enroll", "--url", "ftp://x", "--root", str(root), "--site", "a b"], silent)
    assert isinstance(raised.value, InputError) or raised.value.exit_code == 5


def test_an_answer_is_an_object_and_stderr_is_progress(edge: Edge) -> None:
    said: list[str] = []
    answer = edge.call(["doctor"], lambda _done, _total, what: said.append(what))
    assert answer["checks"]
    assert all(line.startswith("doctor: ") for line in said)
