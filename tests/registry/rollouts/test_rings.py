"""The rings file: strict, and ordered."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract.rings import BUCKETS
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.registry.rollouts import EXAMPLE, read_rings
from edgefactory.registry.rollouts.rings import LAB, NOWHERE, PILOT, name_of, parse_ring, reach_of


def test_the_shipped_rings_are_valid_and_widen() -> None:
    rings = read_rings(EXAMPLE)
    assert [name_of(w.ring) for w in rings.waves] == ["lab", "pilot", "1%", "10%", "50%", "100%"]
    assert reach_of(rings.waves[-1].ring) == BUCKETS
    assert rings.after(NOWHERE) == "lab"
    assert rings.after(LAB) == "pilot"
    assert rings.after(PILOT) == 1
    assert rings.after(BUCKETS) is None


@pytest.mark.parametrize(
    ("found", "wrong", "says"),
    [
        ("schema: rings/1", "schema: rings/2", "rings/2"),
        ("fresh_hours", "fresh_days", "fresh_days"),
        ("  - ring: 10\n", "  - ring: 0.5\n", "0.5% is no wider"),
        ("  - ring: pilot\n", "  - ring: lab\n", "lab is no wider"),
        ("ring: 100", "ring: 101", "101|<= 100"),
        ("lab: [lab-1, lab-2]", "lab: []", "`lab` names no site"),
        ("lab: [lab-1, lab-2]", "lab: [branch-0001]", "in `lab` and in `pilot`"),
        ("lab: [lab-1, lab-2]", "lab: ['../x']", "lab"),
        ("sites: 2,", "", "sites"),
        ("errors: 0}", "errors: 2}", "errors"),
        ("confidence: 0.95", "confidence: 0.3", "confidence"),
        ("pilot: [", "lab: [", "given twice"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, found: str, wrong: str, says: str) -> None:
    text = EXAMPLE.read_text()
    assert found in text
    path = tmp_path / "rings.yaml"
    path.write_text(text.replace(found, wrong, 1))
    with pytest.raises(InputError, match=says):
        read_rings(path)


def test_a_later_wave_needs_evidence(tmp_path: Path) -> None:
    path = tmp_path / "rings.yaml"
    path.write_text("schema: rings/1\nlab: [a]\npilot: []\nwaves: [{ring: lab}, {ring: 100}]\n")
    with pytest.raises(InputError, match="100% has no `needs`"):
        read_rings(path)


def test_no_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_rings(tmp_path / "rings.yaml")


@given(st.floats(0.01, 100))
def test_a_percentage_is_a_bound(percent: float) -> None:
    ring = parse_ring(f"{percent}%")
    assert abs(reach_of(ring) - percent / 100 * BUCKETS) <= 1
    assert 1 <= reach_of(ring) <= BUCKETS


@pytest.mark.parametrize("text", ["", "0", "-1", "100.1", "nan", "inf", "LAB", "all", "%"])
def test_what_is_no_ring_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not lab, pilot, next, or a percentage"):
        parse_ring(text)
