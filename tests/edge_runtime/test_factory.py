"""What the factory's own registry publishes is what a site pulls, proves and runs."""

import shutil
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.errors import TrustError
from edge_runtime.state import State
from edge_runtime.update import Wish, once
from edgefactory.registry import RolloutSettings

from .models import build
from .registering import Registry

pytestmark = pytest.mark.component


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
