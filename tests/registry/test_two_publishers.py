"""Two publishers on one tree at the same moment: nothing is lost, and readers see no halves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edgefactory.datasets.errors import StorageError
from edgefactory.registry import (
    ReleaseSettings,
    build_release,
    example_policy,
    gate,
    init_repository,
    publish,
    refresh,
    verify_published,
    write_verdict,
)
from edgefactory.registry.tree import load_tree

from .conftest import Line, attest, make_line
from .killing import begun, ended, killed

ROUNDS = 3


@dataclass(frozen=True)
class Two:
    """Two lines with a release each, and the tree that both publish to."""

    one: Line
    other: Line
    keys: Path
    published: Path

    @property
    def root(self) -> Path:
        return self.published / "metadata" / "1.root.json"

    def put(self, line: Line) -> None:
        """Publish as a person does who is told that another is at work: again."""
        self._until_free(lambda: publish(line.release, line.verdict, self.keys, self.published))

    def refresh(self) -> None:
        """The daily job."""
        self._until_free(lambda: refresh(self.keys, self.published))

    def _until_free(self, write: Callable[[], object]) -> None:
        while True:
            try:
                write()
            except StorageError as error:
                if "another publisher" not in str(error):
                    raise
                os.sched_yield()
            else:
                return

    def build(self, number: int) -> None:
        """The next release of each."""
        for line, name in ((self.one, "one"), (self.other, "other")):
            settings = ReleaseSettings(name=name, version=f"0.{number}.0", sequence=number)
            build_release(settings, *line.inputs, line.release)
            write_verdict(gate(line.release, example_policy("cctv")), line.verdict)
            attest(line.release, line.verdict, self.keys)

    def seen(self) -> dict[str, int]:
        """What a reader finds now, all of it verified: the sequence of each model."""
        chain = verify_published(self.published, self.root)
        return {release.model: release.sequence for release in chain.releases}

    def version(self) -> int:
        return load_tree(self.published).timestamp_version


@pytest.fixture
def two(tmp_path: Path, keys: Path) -> Two:
    """Both have published once."""
    one, other = (make_line(tmp_path / name, name.encode(), keys) for name in ("one", "other"))
    init_repository(tmp_path / "published", keys)
    made = Two(one, other, keys, tmp_path / "published")
    made.build(1)
    made.put(one)
    made.put(other)
    return made


def test_who_publishes_at_the_same_moment_loses_nothing(two: Two) -> None:
    """Two releases and a refresh: each is there at the end, and each is one version."""
    for number in range(2, ROUNDS + 2):
        two.build(number)
        before, seen = two.version(), [two.seen()]
        writers = (lambda: two.put(two.one), lambda: two.put(two.other), two.refresh)
        left = {begun(write) for write in writers}
        while left:
            seen.append(two.seen())  # a reader, all the while: whatever it finds verifies
            left = {child for child in left if ended(child) is None}
        assert two.seen() == {"one": number, "other": number}
        assert two.version() == before + len(writers)
        for model in ("one", "other"):
            found = [state[model] for state in seen]
            assert found == sorted(found)
            assert set(found) <= {number - 1, number}


def test_who_dies_at_any_write_leaves_the_other_its_way(two: Two, tmp_path: Path) -> None:
    two.build(2)
    write, died = 1, True
    while died:
        tree = shutil.copytree(two.published, tmp_path / f"published-{write}")
        here = replace(two, published=tree)
        children = (
            begun(lambda here=here: here.put(here.one), write),  # type: ignore[misc]  # B023's way
            begun(lambda here=here: here.put(here.other)),  # type: ignore[misc]  # likewise
        )
        died, other_died = map(killed, children)
        assert not other_died
        assert here.seen() == {"one": 1 if died else 2, "other": 2}
        here.put(here.one)  # whoever was killed runs it again
        assert here.seen() == {"one": 2, "other": 2}
        write += 1
    assert write > 8  # the card, release.json, rollout and four metadata files at least
