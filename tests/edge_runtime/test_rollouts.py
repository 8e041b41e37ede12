"""The real client of a site against what a rollout may, and may not, make it do."""

import json
import os
import time
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import Device, Offer, Rollout, SignedReport, encode, read
from edge_runtime.contract.sealing import peek, verify
from edge_runtime.enrolment import Enrolment, enroll
from edge_runtime.errors import MissingError, RefusedError, TrustError
from edge_runtime.outbox import MOST_KEPT
from edge_runtime.running import active
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.store.journal import copies
from edge_runtime.trust.http import Http
from edge_runtime.update import Update, Wish, once
from edgefactory.datasets.errors import InputError
from edgefactory.registry import RolloutSettings
from edgefactory.registry.rollouts import (
    Goal,
    Place,
    Where,
    Witnesses,
    pause,
    promote,
    raise_floor,
    read_rings,
    resume,
    rollback,
)

from .models import build
from .publishing import Publisher
from .registering import Registry
from .serving import Server

pytestmark = pytest.mark.component

REPLACE = msgspec.structs.replace


def _once(state: State, now: float | None = None) -> Update:
    at = time.time() if now is None else now
    return once(state, Wish("squares"), lambda *_: None, Http(timeout=5), lambda: at)


def _running(state: State) -> int:
    slot = load_journal(state.journal).of("squares").active
    assert slot is not None
    return slot.sequence


def _reports(state: State) -> list[SignedReport]:
    return [read(path, SignedReport) for path in sorted(state.outbox.glob("*.report.json"))]


class Site:
    """A publisher with releases 1 and 2 signed, and a site that runs 1."""

    def __init__(self, state: State, publisher: Publisher) -> None:
        self.state, self.publisher = state, publisher
        self.one = REPLACE(publisher.publish(build(1)), edition=1)
        self.two = REPLACE(publisher.publish(build(2), bound=0), edition=2)
        publisher.roll_out(self.one)
        assert _once(state).sequence == 1

    def told(self, rollout: Rollout) -> Update:
        """What the site makes of `rollout`, signed as it is."""
        self.publisher.roll_out(rollout)
        return _once(self.state)


@pytest.fixture
def site(state: State, publisher: Publisher) -> Site:
    """A site that runs release 1."""
    return Site(state, publisher)


def test_attack_a_rollout_for_another_hardware_class_starts_nothing(site: Site) -> None:
    other = REPLACE(site.two, bound=16384, hardware=("sm999",))
    assert site.told(other).outcome == "not-in-rollout"
    assert _running(site.state) == 1


def test_attack_a_release_for_another_hardware_class_is_refused(site: Site) -> None:
    built = build(3)
    (variant,) = built.release.variants
    built.release = REPLACE(built.release, variants=(REPLACE(variant, hardware=("sm999",)),))
    rollout = REPLACE(site.publisher.publish(built), edition=3)
    with pytest.raises(RefusedError, match="may run on this box"):
        site.told(rollout)
    assert _running(site.state) == 1
    last = peek(_reports(site.state)[-1])
    assert (last.phase, last.offered, last.health) == ("failed", rollout.release, "ok")


@pytest.mark.parametrize(
    "others",
    [
        {"regions": ("south",)},
        {"only": ("branch-0002",)},
        {"bound": 0, "sites": ("branch-0002",)},
    ],
)
def test_attack_another_groups_rollout_starts_nothing(
    site: Site, others: dict[str, object]
) -> None:
    """The site is branch-0001 in the north."""
    wanted = REPLACE(site.two, **{"bound": 16384, **others})
    assert site.told(wanted).outcome == "not-in-rollout"
    assert _running(site.state) == 1


def test_attack_another_models_rollout_is_refused(site: Site) -> None:
    strange = REPLACE(site.two, model="circles", bound=16384)
    site.publisher._target("rollout", "rollout/squares.json", encode(strange))
    site.publisher.sign()
    with pytest.raises(TrustError, match="speaks of model circles"):
        _once(site.state)


@pytest.mark.parametrize("where", ["release", "base"])
def test_attack_a_rollout_that_names_an_unsigned_digest_is_refused(site: Site, where: str) -> None:
    evil = REPLACE(site.two, bound=16384, release="f" * 64)
    if where == "base":
        base = REPLACE(site.one.offer, sequence=2, release="f" * 64)
        evil = REPLACE(site.two, sequence=3, base=base)
    with pytest.raises(TrustError, match="is signed as"):
        site.told(evil)
    assert _running(site.state) == 1


def test_attack_a_rollout_that_names_a_path_that_no_one_signed_is_refused(site: Site) -> None:
    path = "releases/squares/9.9.9/release.json"
    with pytest.raises(MissingError, match="publishes no"):
        site.told(REPLACE(site.two, bound=16384, release_path=path))


def test_attack_a_rollout_that_gives_a_release_another_sequence_is_refused(site: Site) -> None:
    with pytest.raises(TrustError, match="is sequence 2 of squares"):
        site.told(REPLACE(site.two, bound=16384, sequence=7))


@pytest.mark.parametrize("how", ["release", "base"])
def test_attack_a_downgrade_below_the_floor_is_refused(site: Site, how: str) -> None:
    site.told(REPLACE(site.two, bound=16384, edition=3, floor=2))
    assert _running(site.state) == 2
    back = REPLACE(site.one, edition=4, withdrawn=2, floor=0)
    if how == "base":
        third = Offer(3, site.two.release, site.two.release_path)
        back = REPLACE(
            back, sequence=3, release=third.release, bound=0, base=site.one.offer, withdrawn=2
        )
    with pytest.raises(TrustError, match="below the floor 2"):
        site.told(back)
    assert _running(site.state) == 2
    active(site.state, "squares")


def test_attack_a_downgrade_that_does_not_say_what_it_takes_back_is_refused(site: Site) -> None:
    site.told(REPLACE(site.two, bound=16384, edition=3))
    with pytest.raises(TrustError, match="does not take back"):
        site.told(REPLACE(site.one, edition=4, withdrawn=1))


def test_attack_an_old_rollout_under_new_metadata_is_refused(site: Site) -> None:
    """Even one that went back on purpose at its time."""
    back = REPLACE(site.one, edition=3, withdrawn=2)
    site.told(back)
    site.told(REPLACE(site.two, bound=16384, edition=4))
    with pytest.raises(TrustError, match="an old rollout is being replayed"):
        site.told(back)
    assert _running(site.state) == 2


@pytest.mark.parametrize("sequence", [2, 99])
def test_attack_a_floor_above_what_was_signed_stops_nothing(site: Site, sequence: int) -> None:
    """A stolen rollout key cannot forbid a model for ever."""
    with pytest.raises(TrustError, match=r"above its own release 2|rollout names sequence 99"):
        site.told(REPLACE(site.two, sequence=sequence, bound=0, floor=99, edition=3))
    active(site.state, "squares")
    assert site.told(REPLACE(site.two, bound=16384, edition=4, floor=2)).sequence == 2


def test_a_meant_downgrade_is_followed_and_the_next_release_too(site: Site) -> None:
    site.told(REPLACE(site.two, bound=16384, edition=3))
    back = site.told(REPLACE(site.one, edition=4, withdrawn=2))
    assert (back.outcome, back.sequence) == ("activated", 1)
    assert _once(site.state).outcome == "current"
    again = site.told(REPLACE(site.two, bound=16384, edition=5, withdrawn=2, base=site.one.offer))
    assert (again.outcome, again.sequence) == ("activated", 2)


def test_attack_a_paused_rollout_starts_nothing_and_stops_nothing(site: Site) -> None:
    paused = REPLACE(site.two, bound=16384, edition=3, paused=True)
    assert site.told(paused).outcome == "paused"
    assert _running(site.state) == 1
    assert site.told(REPLACE(paused, edition=4, paused=False)).sequence == 2
    assert site.told(REPLACE(paused, edition=5)).outcome == "current"
    assert _running(site.state) == 2


def test_a_new_box_outside_of_the_rings_runs_the_base(site: Site) -> None:
    rollout = REPLACE(site.two, edition=3, base=site.one.offer)
    for copy in copies(site.state.journal):
        copy.unlink()
    update = site.told(rollout)
    assert (update.outcome, update.sequence) == ("activated", 1)


def test_each_update_leaves_a_report_that_the_device_has_signed(site: Site) -> None:
    device = read(site.state.device_file, Device)
    assert (device.site, device.region, device.hardware[0]) == ("branch-0001", "north", "cpu")
    site.told(REPLACE(site.two, bound=16384, edition=3))
    reports = [peek(signed) for signed in _reports(site.state)]
    for signed in _reports(site.state):
        verify(signed, device.key)
    first, second = reports
    assert first.counter < second.counter
    assert (second.edition, second.offered, second.active, second.previous) == (
        3,
        site.two.release,
        site.two.release,
        site.one.release,
    )
    assert (second.phase, second.health, second.metadata["rollout"]) == ("active", "ok", 5)
    assert second.latency_ms is not None
    assert second.latency_ms > 0


def test_a_failed_update_is_reported_with_its_reason(site: Site) -> None:
    with pytest.raises(TrustError):
        site.told(REPLACE(site.two, bound=16384, release="f" * 64, edition=3))
    last = peek(_reports(site.state)[-1])
    assert (last.phase, last.health, last.active) == ("failed", "ok", site.one.release)
    assert (last.edition, last.offered) == (3, "f" * 64)
    assert last.reason.startswith("TrustError: the rollout names release ffff")


def test_what_is_damaged_is_reported_as_failing(site: Site, server: Server) -> None:
    release = active(site.state, None).release
    model = release.variants[0].files["model.onnx"]
    site.state.contents.path(model).write_bytes(b"x" * model.bytes)
    server.answers[f"/blobs/{model.sha256}"] = lambda handler: handler.reply(503, b"")
    with pytest.raises(MissingError):
        _once(site.state)
    assert peek(_reports(site.state)[-1]).health == "failing"


def test_counters_rise_when_the_clock_stands_and_after_the_counter_was_lost(site: Site) -> None:
    now = time.time()
    for _ in range(3):
        _once(site.state, now)
    site.state.report_counter.unlink()
    _once(site.state, now + 60)
    counters = [peek(signed).counter for signed in _reports(site.state)]
    assert counters == sorted(set(counters))


def test_the_outbox_is_bounded_and_the_newest_stay(site: Site) -> None:
    (first,) = site.state.outbox.iterdir()
    for n in range(MOST_KEPT):
        (site.state.outbox / f"branch-0001-{n:012d}.report.json").write_bytes(first.read_bytes())
    _once(site.state)
    names = sorted(path.name for path in site.state.outbox.iterdir())
    assert len(names) == MOST_KEPT
    assert first.name in names
    assert "branch-0001-000000000000.report.json" not in names


def test_a_site_that_cannot_report_goes_on_all_the_same(site: Site) -> None:
    site.state.device_key.chmod(0o644)
    assert site.told(REPLACE(site.two, bound=16384, edition=3)).outcome == "activated"


def test_the_device_key_is_the_devices_alone(site: Site) -> None:
    mode = os.stat(site.state.device_key).st_mode & 0o777  # noqa: PTH116 (mode bits)
    assert mode == 0o600
    assert "PRIVATE" not in json.dumps(site.state.site_file.read_text())


RINGS = """\
schema: rings/1
lab: [branch-0001]
pilot: []
waves:
  - ring: lab
  - ring: 100
    needs: {hours: 0, sites: 1, heard: 1, success: 0.01, errors: 0}
"""


def test_from_the_lab_to_everybody_and_back(server: Server, tmp_path: Path) -> None:
    """Factory and site together: promote, report, widen, pause, take back, raise the floor."""
    registry = Registry(server, tmp_path / "factory")
    state = State(tmp_path / "site")
    enroll(state, Enrolment(server.url, "branch-0001", "north", registry.root.read_bytes()))
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "1.json").write_bytes(state.device_file.read_bytes())
    (tmp_path / "rings.yaml").write_text(RINGS)
    rings = read_rings(tmp_path / "rings.yaml")
    place = Place(registry.published, registry.keys)
    witnesses = Witnesses(str(state.outbox), tmp_path / "devices")

    registry.publish(build(1))
    assert _once(state).sequence == 1
    registry.publish(build(2), RolloutSettings(bound=0))
    assert _once(state).sequence == 1
    assert promote(place, Goal("squares", "2.0.0", "lab", Where(("cpu",))), rings).changed
    everybody = Goal("squares", "2.0.0", "next", Where())
    assert not promote(place, everybody, rings, witnesses).changed  # it has not polled yet
    assert _once(state).sequence == 2
    assert promote(place, everybody, rings, witnesses).changed
    pause(place, "squares")
    assert _once(state).sequence == 2
    resume(place, "squares")
    assert rollback(place, "squares", None).changed
    assert (_once(state).sequence, _once(state).outcome) == (1, "current")
    assert promote(place, Goal("squares", "2.0.0", "lab"), rings).changed
    assert _once(state).sequence == 2
    assert promote(place, Goal("squares", "2.0.0", "next"), rings, witnesses).changed
    raise_floor(place, "squares", "2.0.0")
    _once(state)
    with pytest.raises(InputError, match="below the floor 2"):
        rollback(place, "squares", "1.0.0")


def test_attack_forged_and_replayed_reports_of_a_real_site_widen_nothing(
    server: Server, tmp_path: Path
) -> None:
    """The site ran release 2 well, then failed; somebody on the way prefers the former."""
    registry = Registry(server, tmp_path / "factory")
    state = State(tmp_path / "site")
    enroll(state, Enrolment(server.url, "branch-0001", "north", registry.root.read_bytes()))
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "1.json").write_bytes(state.device_file.read_bytes())
    (tmp_path / "rings.yaml").write_text(RINGS)
    rings = read_rings(tmp_path / "rings.yaml")
    place = Place(registry.published, registry.keys)
    on_the_way = tmp_path / "reports"
    on_the_way.mkdir()
    witnesses = Witnesses(str(on_the_way), tmp_path / "devices")
    goal = Goal("squares", "2.0.0", "next")

    registry.publish(build(2), RolloutSettings(bound=0))
    assert promote(place, goal, rings).rollout.ring == "lab"
    assert _once(state).outcome == "activated"
    (good,) = state.outbox.iterdir()
    model = active(state, None).release.variants[0].files["model.onnx"]
    state.contents.path(model).write_bytes(b"x" * model.bytes)
    server.answers[f"/blobs/{model.sha256}"] = lambda handler: handler.reply(503, b"")
    with pytest.raises(MissingError):
        _once(state)
    bad = max(state.outbox.iterdir())

    signed = read(bad, SignedReport)
    forged = signed.payload.replace(b'"failing"', b'"ok"').replace(b'"failed"', b'"active"')
    (on_the_way / bad.name).write_bytes(encode(REPLACE(signed, payload=forged)))
    step = promote(place, goal, rings, witnesses)
    assert ([r.why for r in step.refused], step.changed) == (["forged"], False)

    (on_the_way / bad.name).write_bytes(bad.read_bytes())
    step = promote(place, goal, rings, witnesses)
    assert step.standing is not None
    assert (step.standing.failed, step.changed) == (1, False)

    (on_the_way / bad.name).unlink()
    (on_the_way / good.name).write_bytes(good.read_bytes())
    step = promote(place, goal, rings, witnesses)
    assert ([r.why for r in step.refused], step.changed) == (["replayed"], False)
