"""What the factory's own registry publishes is what a site pulls, proves and runs."""

import shutil
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.errors import TrustError
from edge_runtime.state import State
from edge_runtime.update import Wish, once
from edgefactory.registry import RolloutSettings

from .factory import Registry
from .models import build
from .serving import Server

pytestmark = pytest.mark.component


@pytest.fixture
def registry(server: Server, tmp_path: Path) -> Registry:
    """A registry with nothing released yet."""
    return Registry(server, tmp_path / "factory")


@pytest.fixture
def site(registry: Registry, server: Server, tmp_path: Path) -> State:
    """A site enrolled by the file of the root."""
    folder = tmp_path / "site"
    command = ["--state", str(folder), "enroll", "--url", server.url, "--site", "branch-0001"]
    assert main([*command, "--root", str(registry.root)]) == 0
    return State(folder)


def _once(site: State) -> str:
    return once(site, Wish("squares"), lambda *_: None).outcome


def test_releases_of_the_registry_reach_the_site(registry: Registry, site: State) -> None:
    registry.publish(build(1))
    assert _once(site) == "activated"
    assert _once(site) == "current"
    registry.publish(build(2), RolloutSettings(bound=0))
    assert _once(site) == "current"  # outside the rings it runs the base: release 1
    registry.publish(build(3), RolloutSettings(bound=0, sites=("branch-0001",)))
    assert _once(site) == "activated"
    assert main(["--state", str(site.folder), "selftest"]) == 0


def test_an_older_state_of_the_registry_is_refused_by_a_site_that_lost_its_cache(
    registry: Registry, site: State, tmp_path: Path
) -> None:
    registry.publish(build(1))
    shutil.copytree(registry.published, tmp_path / "old")
    registry.publish(build(2))
    _once(site)
    shutil.rmtree(registry.published)
    shutil.copytree(tmp_path / "old", registry.published)
    shutil.rmtree(site.metadata)
    with pytest.raises(TrustError, match="an old repository is being replayed"):
        _once(site)
