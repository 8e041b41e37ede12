"""docs/attacks.md names a test for each attack and fault; each of them is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "attacks.md"


def test_every_test_that_the_page_names_exists() -> None:
    lines = [
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and "::" in line
    ]
    assert len(lines) > 50
    for line in lines:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", line)
        assert named, line
        for file, name in named:
            assert f"\ndef {name}(" in (TESTS / file).read_text(encoding="utf-8"), (file, name)
