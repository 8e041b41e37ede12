"""A stick in a site without network: the newest for its group is taken, and nothing else."""

import io
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3

from edge_runtime.cli import main
from edge_runtime.contract import Release
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError, TrustError
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.trust import highwater
from edge_runtime.trust.stick import Stick
from edge_runtime.update import Wish, from_stick, once
from edgefactory.datasets import errors
from edgefactory.registry import Ban, RolloutSettings, export_stick, refresh
from edgefactory.registry.tree import utc_now

from .registering import Registry, built
from .serving import Server

pytestmark = pytest.mark.component


@pytest.fixture
def site(registry: Registry, server: Server, tmp_path: Path) -> State:
    """A site of the region north, enrolled at a server that it never asks."""
    folder = tmp_path / "site"
    command = ["--state", str(folder), "enroll", "--url", server.url, "--site", "branch-0001"]
    assert main([*command, "--region", "north", "--root", str(registry.root)]) == 0
    server.asked.clear()
    return State(folder)


def export(registry: Registry, stick: Path, group: str = "north") -> Path:
    export_stick(registry.published, registry.keys, group, stick)
    return stick


def insert(site: State, stick: Path) -> str:
    """Import the stick; what it came to."""
    return from_stick(site, stick, Wish("squares"), lambda *_: None).outcome


def active(site: State) -> int:
    """The sequence of what runs; 0 for nothing."""
    slot = load_journal(site.journal).of("squares").active
    return slot.sequence if slot else 0


def refused(
    site: State, stick: Path, match: str, kind: type[EdgeRuntimeError] = TrustError
) -> None:
    before = active(site)
    marks = highwater.load(site.trust)
    with pytest.raises(kind, match=match):
        insert(site, stick)
    assert active(site) == before
    assert highwater.load(site.trust).roles == marks.roles


def blob(release: Release, stick: Path) -> Path:
    return stick / "blobs" / release.variants[0].files["model.onnx"].sha256


def test_a_stick_brings_releases_without_any_network(
    registry: Registry, site: State, server: Server, tmp_path: Path
) -> None:
    registry.publish(built(1))
    assert insert(site, export(registry, tmp_path / "1")) == "activated"
    registry.publish(built(2))
    stick = export(registry, tmp_path / "2")
    command = ["--state", str(site.folder), "import", str(stick), "--model", "squares"]
    assert main(command) == 0
    assert active(site) == 2
    assert insert(site, stick) == "current"
    assert server.asked == []


def test_an_old_stick_is_refused(registry: Registry, site: State, tmp_path: Path) -> None:
    registry.publish(built(1))
    old = export(registry, tmp_path / "old")
    registry.publish(built(2))
    assert insert(site, export(registry, tmp_path / "new")) == "activated"
    refused(site, old, "an old repository is being replayed")


def test_a_stick_older_than_what_the_network_brought_is_refused(
    registry: Registry, site: State, tmp_path: Path
) -> None:
    registry.publish(built(1))
    old = export(registry, tmp_path / "old")
    registry.publish(built(2))
    assert once(site, Wish("squares"), lambda *_: None).outcome == "activated"
    refused(site, old, "an old repository is being replayed")


def test_another_groups_stick_is_refused(registry: Registry, site: State, tmp_path: Path) -> None:
    registry.publish(built(1))
    stick = export(registry, tmp_path / "south", "south")
    refused(site, stick, "a stick for 'south'; the site's group is 'north'")


def test_a_copy_of_the_tree_is_no_stick(registry: Registry, site: State) -> None:
    registry.publish(built(1))
    refused(site, registry.published, "no stick at all")


def test_a_stick_that_is_served_over_the_network_is_refused(
    registry: Registry, site: State, server: Server, tmp_path: Path
) -> None:
    """Its timestamp lives for days, and would hold the site back."""
    registry.publish(built(1))
    server.folder = export(registry, tmp_path / "stick")
    with pytest.raises(TrustError, match="offers the metadata of a stick, made for 'north'"):
        once(site, Wish("squares"), lambda *_: None)
    server.folder = registry.published  # and it leaves nothing behind
    assert once(site, Wish("squares"), lambda *_: None).outcome == "activated"


def test_a_stick_lives_as_long_as_what_it_vouches_for(
    registry: Registry, site: State, tmp_path: Path
) -> None:
    registry.publish(built(1))
    refresh(registry.keys, registry.published, utc_now() - timedelta(days=6.9))
    found = export_stick(registry.published, registry.keys, "north", tmp_path / "stick")
    assert found.expires < utc_now() + timedelta(days=0.2)
    refresh(registry.keys, registry.published, utc_now() - timedelta(days=8))
    refused(site, _expired(registry, tmp_path / "expired"), "expired")


def _expired(registry: Registry, to: Path) -> Path:
    export_stick(registry.published, registry.keys, "north", to, utc_now() - timedelta(days=7.5))
    return to


def test_a_stick_that_is_pulled_out_leaves_what_runs_and_goes_on_later(
    registry: Registry, site: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.publish(built(1))
    assert insert(site, export(registry, tmp_path / "1")) == "activated"
    newer = registry.publish(built(2))
    stick = export(registry, tmp_path / "2")
    site.contents.path(newer.variants[0].files["model.onnx"]).unlink()
    opened = Stick.open

    def pulled(self: Stick, url: str, first: int = 0) -> urllib3.BaseHTTPResponse:
        answer = opened(self, url, first)
        return _breaking(answer) if url.endswith(blob(newer, stick).name) else answer

    with monkeypatch.context() as patch:
        patch.setattr(Stick, "open", pulled)
        with pytest.raises(MissingError, match="put the stick in"):
            insert(site, stick)
    assert active(site) == 1
    assert insert(site, stick) == "activated"


def _breaking(answer: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
    """The first bytes of `answer`, then what a kernel says when a device is gone."""
    begun = [answer.read(100)]
    answer.close()

    class Gone(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            if begun:
                return begun.pop()
            raise OSError(5, "Input/output error")

    return urllib3.HTTPResponse(body=Gone(), status=200, preload_content=False)


@pytest.mark.parametrize("what", ["blobs", "metadata", "targets"])
def test_a_part_that_is_missing_is_said(
    registry: Registry, site: State, tmp_path: Path, what: str
) -> None:
    registry.publish(built(1))
    stick = export(registry, tmp_path / "stick")
    shutil.rmtree(stick / what)
    with pytest.raises(MissingError, match=r"404|not on the stick"):
        insert(site, stick)
    assert active(site) == 0


def test_a_tampered_stick_is_refused(registry: Registry, site: State, tmp_path: Path) -> None:
    release = registry.publish(built(1))
    for number in range(4):
        stick = export(registry, tmp_path / str(number))
        files = (
            stick / "metadata" / "timestamp.json",
            next((stick / "targets" / "rollout").iterdir()),
            next((stick / "targets" / "releases").rglob("*.json")),
            blob(release, stick),
        )
        data = bytearray(files[number].read_bytes())
        data[len(data) // 2] ^= 1
        files[number].write_bytes(data)
        with pytest.raises(
            TrustError, match=r"does not verify|not what was signed|SHA-256|changed"
        ):
            insert(site, stick)
    assert active(site) == 0


def test_a_link_on_a_stick_leads_nowhere(registry: Registry, site: State, tmp_path: Path) -> None:
    release = registry.publish(built(1))
    stick = export(registry, tmp_path / "stick")
    path = blob(release, stick)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MissingError, match="404"):
        insert(site, stick)


def test_a_block_list_comes_with_every_stick(
    registry: Registry, site: State, tmp_path: Path
) -> None:
    registry.publish(built(1))
    assert insert(site, export(registry, tmp_path / "1")) == "activated"
    registry.ban(Ban("squares", "1.0.0", "counts shadows", "block"))
    with pytest.raises(EdgeRuntimeError, match="counts shadows"):
        insert(site, export(registry, tmp_path / "2"))
    assert active(site) == 0


def test_a_site_without_a_region_takes_no_stick(
    registry: Registry, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "lone"
    command = ["--state", str(folder), "enroll", "--url", server.url, "--site", "branch-0002"]
    assert main([*command, "--root", str(registry.root)]) == 0
    registry.publish(built(1))
    with pytest.raises(InputError, match="this site has none"):
        insert(State(folder), export(registry, tmp_path / "stick"))


def test_a_stick_holds_what_is_for_its_region_only(registry: Registry, tmp_path: Path) -> None:
    release = registry.publish(built(1), RolloutSettings(regions=("south",)))
    stick = export(registry, tmp_path / "south", "south")
    assert {path.name for path in (stick / "blobs").iterdir()} == set(release.files())
    with pytest.raises(errors.MissingError, match="is for the region 'north'"):
        export(registry, tmp_path / "north")
