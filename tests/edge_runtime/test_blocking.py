"""A block list is obeyed before any rollout: nothing that it names starts, or goes on."""

from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.contract import digest
from edge_runtime.errors import EdgeRuntimeError, MissingError, RefusedError, TrustError
from edge_runtime.running import active, open_active
from edge_runtime.state import State
from edge_runtime.store import ModelSlots, load_journal, save_journal
from edge_runtime.trust import highwater
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once
from edgefactory.datasets import errors as factory_errors
from edgefactory.registry import Ban, RolloutSettings
from edgefactory.registry.rollouts import Goal, Place, promote, read_rings, rings, rollback

from .registering import Registry, built

pytestmark = pytest.mark.component

WHY = "counts shadows as people"


def update(site: State) -> str:
    return once(site, Wish("squares"), lambda *_: None, Http(timeout=5)).outcome


def slots(site: State) -> ModelSlots:
    return load_journal(site.journal).of("squares")


def block(registry: Registry, sequence: int) -> str:
    """Block a release; returns its digest."""
    registry.ban(Ban("squares", f"{sequence}.0.0", WHY, "block"))
    return digest(built(sequence).data)


@pytest.fixture
def running(registry: Registry, site: State) -> State:
    """A site that runs release 2, with release 1 as the last good one."""
    for sequence in (1, 2):
        registry.publish(built(sequence))
        assert update(site) == "activated"
    return site


def test_a_blocked_release_is_never_activated(registry: Registry, site: State) -> None:
    registry.publish(built(1))
    block(registry, 1)
    with pytest.raises(RefusedError, match=f"squares 1.0.0 may not run: blocked: {WHY}"):
        update(site)
    assert slots(site).active is None
    assert WHY in slots(site).reason


def test_a_blocked_release_is_not_rolled_out_again(registry: Registry, running: State) -> None:
    blocked = "releases/squares/1.0.0/release.json may not run: blocked"
    place = Place(registry.published, registry.keys)
    block(registry, 1)
    with pytest.raises(factory_errors.TrustError, match=blocked):
        rollback(place, "squares", "1.0.0")
    with pytest.raises(factory_errors.TrustError, match=blocked):
        promote(place, Goal("squares", "1.0.0", "lab"), read_rings(rings.EXAMPLE))
    assert update(running) == "current"


def test_an_active_release_that_is_blocked_is_left_for_a_newer_one(
    registry: Registry, running: State
) -> None:
    blocked = block(registry, 2)
    registry.publish(built(3))
    assert update(running) == "activated"
    found = slots(running)
    assert found.active is not None
    assert found.previous is not None
    assert (found.active.sequence, found.previous.sequence) == (3, 1)
    assert found.left == {blocked: f"blocked: {WHY}"}
    assert update(running) == "current"
    assert slots(running).left == found.left


def test_it_is_left_for_the_last_good_one_when_the_rollout_names_nothing_better(
    registry: Registry, running: State, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = block(registry, 2)
    with pytest.raises(RefusedError, match="may not run"):
        update(running)
    found = slots(running)
    assert found.active is not None
    assert (found.active.sequence, found.previous) == (1, None)
    assert WHY in found.reason
    open_active(running, active(running, None), threads=1)
    assert main(["--state", str(running.folder), "status"]) == 0
    assert f"squares: {blocked[:12]} was left, blocked: {WHY}" in capsys.readouterr().out


def test_it_is_left_also_where_the_site_takes_no_part_in_the_rollout(
    registry: Registry, running: State
) -> None:
    block(registry, 2)
    registry.publish(built(3), RolloutSettings(bound=0))
    assert update(running) == "not-in-rollout"
    found = slots(running)
    assert found.active is not None
    assert (found.active.sequence, found.phase) == (1, "active")
    assert found.reason == f"2.0.0 was left, blocked: {WHY}"


def test_with_nothing_left_nothing_runs_and_the_reason_is_said(
    registry: Registry, site: State
) -> None:
    registry.publish(built(1))
    update(site)
    block(registry, 1)
    registry.publish(built(2), RolloutSettings(bound=0))
    assert update(site) == "not-in-rollout"
    assert slots(site).phase == "failed"
    with pytest.raises(MissingError, match=f"no release of squares is active: .* {WHY}"):
        active(site, "squares")
    registry.publish(built(3))
    assert update(site) == "activated"


def test_a_revoked_release_takes_all_older_ones_with_it(registry: Registry, running: State) -> None:
    registry.ban(Ban("squares", "2.0.0", WHY, "revoke"))
    with pytest.raises(TrustError, match="below the floor 3"):
        update(running)
    assert slots(running).active is None
    assert set(slots(running).left.values()) == {f"below the floor 3 that was signed: {WHY}"}
    registry.publish(built(3))
    assert update(running) == "activated"


def test_only_the_last_good_one_is_blocked(registry: Registry, running: State) -> None:
    block(registry, 1)
    assert update(running) == "current"
    assert slots(running).previous is None


def test_what_was_blocked_does_not_start_before_the_journal_says_so(
    registry: Registry, running: State
) -> None:
    """A power cut between the marks and the journal: the marks alone stop it."""
    journal = load_journal(running.journal)
    block(registry, 2)
    with pytest.raises(RefusedError):
        update(running)
    save_journal(running.journal, journal)
    with pytest.raises(RefusedError, match=f"may not run: blocked: {WHY}"):
        active(running, "squares")


def test_a_block_list_that_is_held_back_stops_updates(registry: Registry, running: State) -> None:
    """Who serves the files cannot hide a block list: nothing else is believed without it."""
    block(registry, 2)
    (held,) = (registry.published / "targets" / "block").iterdir()
    data = held.read_bytes()
    for lie in (None, data.replace(b"shadows", b"shallow"), data[:-1]):
        held.unlink() if lie is None else held.write_bytes(lie)
        with pytest.raises(EdgeRuntimeError):
            update(running)
        held.write_bytes(data)
    with pytest.raises(RefusedError):
        update(running)


def test_an_old_block_list_does_not_come_back(
    registry: Registry, running: State, tmp_path: Path
) -> None:
    block(registry, 2)
    with pytest.raises(RefusedError):
        update(running)
    assert highwater.load(running.trust).roles["emergency"].version == 2
    registry.steal_online_keys(
        lambda meta: meta | {"emergency.json": registry.meta("emergency", 1)}
    )
    with pytest.raises(TrustError):
        update(running)
    assert slots(running).active is not None


def test_a_tree_that_gets_its_emergency_role_later(registry: Registry, site: State) -> None:
    registry.drop_emergency()
    registry.publish(built(1))
    assert update(site) == "activated"
    assert "emergency" not in highwater.load(site.trust).roles
    registry.add_emergency()
    block(registry, 1)
    with pytest.raises(RefusedError, match=WHY):
        update(site)
