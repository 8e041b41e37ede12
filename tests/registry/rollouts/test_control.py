"""The controller on a real tree: what it signs, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_runtime.contract import Device, Report, Rollout, encode
from edge_runtime.contract.sealing import public_hex, seal
from edgefactory.datasets.errors import GateError, InputError, MissingError, TrustError
from edgefactory.registry import (
    RolloutSettings,
    create_keys,
    init_repository,
    publish,
    verify_published,
)
from edgefactory.registry.rollouts import (
    Goal,
    Place,
    Rings,
    Step,
    Where,
    Witnesses,
    documents,
    pause,
    promote,
    raise_floor,
    read_rings,
    resume,
    rollback,
    status,
)
from edgefactory.registry.tree import load_tree, utc_now

from ..conftest import Line

MODEL = "cctv-person"
RINGS = """\
schema: rings/1
lab: [s-0, s-1]
pilot: []
waves:
  - ring: lab
  - ring: 50
    needs: {hours: 1, sites: 2, heard: 1, success: 0.1, errors: 0}
  - ring: 100
    needs: {hours: 1, sites: 1, heard: 0.1, success: 0, errors: 1}
"""
HOUR = timedelta(hours=1)
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in range(4)]


@pytest.fixture
def rings(tmp_path: Path) -> Rings:
    path = tmp_path / "rings.yaml"
    path.write_text(RINGS)
    return read_rings(path)


@pytest.fixture
def witnesses(tmp_path: Path) -> Witnesses:
    """Four devices, and no report yet."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "reports").mkdir()
    for n, key in enumerate(KEYS):
        device = Device("device/1", f"s-{n}", "", ("cpu",), public_hex(key))
        (tmp_path / "devices" / f"s-{n}.json").write_bytes(encode(device))
    return Witnesses(str(tmp_path / "reports"), tmp_path / "devices")


@pytest.fixture
def place(line: Line, keys: Path) -> Place:
    """A tree with 0.1.0 at every site, and 0.2.0 signed and published for nobody."""
    line.build()
    init_repository(line.published, keys)
    publish(line.release, line.verdict, keys, line.published)
    line.build("0.2.0", 2)
    publish(line.release, line.verdict, keys, line.published, RolloutSettings(bound=0))
    return Place(line.published, keys)


def to(ring: str, version: str = "0.2.0", where: Where | None = None) -> Goal:
    return Goal(MODEL, version, ring, where)


def signed(place: Place) -> Rollout:
    return documents.require(place.published, load_tree(place.published), MODEL)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def sealed(step: Step, site: int, at: datetime, counter: int = 1) -> bytes:
    release = step.rollout.release
    report = Report(
        schema="report/1",
        site=f"s-{site}",
        counter=counter,
        time=int(at.timestamp()),
        model=MODEL,
        hardware=("cpu",),
        edition=step.rollout.edition,
        offered=release,
        active=release,
        previous=None,
        metadata={},
        phase="active",
        health="ok",
    )
    return encode(seal(report, KEYS[site]))


def say(witnesses: Witnesses, step: Step, sites: range, at: datetime, counter: int = 1) -> None:
    for site in sites:
        path = Path(witnesses.reports) / f"s-{site}-{counter}.report.json"
        path.write_bytes(sealed(step, site, at, counter))


def test_a_release_goes_from_wave_to_wave_on_evidence(
    place: Place, rings: Rings, witnesses: Witnesses, line: Line
) -> None:
    now = utc_now()
    lab = promote(place, to("lab"), rings, now=now)
    assert (lab.changed, lab.rollout.sites, lab.rollout.bound) == (True, ("s-0", "s-1"), 0)
    assert lab.rollout.base is not None
    assert lab.rollout.base.sequence == 1
    say(witnesses, lab, range(2), now + HOUR)
    half = promote(place, to("next"), rings, witnesses, now + HOUR)
    assert (half.changed, half.rollout.bound, half.rollout.sites) == (True, 8192, ("s-0", "s-1"))
    assert half.standing is not None
    assert (half.standing.heard, half.standing.succeeded) == (2, 2)
    say(witnesses, half, range(4), now + 2 * HOUR, counter=2)
    whole = promote(place, to("next"), rings, witnesses, now + 2 * HOUR)
    assert (whole.changed, whole.rollout.bound) == (True, 16384)
    assert not promote(place, to("next"), rings, witnesses, now + 3 * HOUR).changed
    (found,) = verify_published(
        line.published, line.published / "metadata" / "1.root.json"
    ).releases
    assert (found.version, found.bound) == ("0.2.0", 16384)


def test_silence_never_widens(place: Place, rings: Rings, witnesses: Witnesses) -> None:
    now = utc_now()
    promote(place, to("lab"), rings, now=now)
    before = tree(place.published)
    without = promote(place, to("next"), rings, None, now + HOUR)
    assert without.missing == (
        "no reports were given (--reports, --devices): silence never widens",
    )
    silent = promote(place, to("next"), rings, witnesses, now + HOUR)
    assert any("silence never widens" in line for line in silent.missing)
    assert (without.changed, silent.changed) == (False, False)
    assert tree(place.published) == before


def test_reports_of_the_wave_before_do_not_count(
    place: Place, rings: Rings, witnesses: Witnesses
) -> None:
    now = utc_now()
    lab = promote(place, to("lab"), rings, now=now)
    say(witnesses, lab, range(2), now)
    pause(place, MODEL, now)
    resume(place, MODEL, now)
    step = promote(place, to("next"), rings, witnesses, now + HOUR)
    assert any("0 sites were heard" in line for line in step.missing)


def test_a_replay_is_known_by_the_ledger_even_in_another_run(
    place: Place, rings: Rings, witnesses: Witnesses
) -> None:
    """The newer report, a failure, is taken away and the old success laid there again."""
    now = utc_now()
    lab = promote(place, to("lab"), rings, now=now)
    say(witnesses, lab, range(2), now)
    say(witnesses, lab, range(1), now, counter=7)
    promote(place, to("next"), rings, witnesses, now)  # too young, but heard
    (Path(witnesses.reports) / "s-0-7.report.json").unlink()
    step = promote(place, to("next"), rings, witnesses, now + HOUR)
    assert [(r.why, r.found) for r in step.refused] == [
        ("replayed", "number 1 of s-0, after 7 was heard")
    ]
    assert not step.changed


def test_twice_changes_nothing(place: Place, rings: Rings) -> None:
    commands: tuple[Callable[[], Step], ...] = (
        lambda: promote(place, to("lab"), rings),
        lambda: pause(place, MODEL),
        lambda: resume(place, MODEL),
        lambda: raise_floor(place, MODEL, "0.1.0"),
        lambda: rollback(place, MODEL, None),
    )
    for command in commands:
        assert command().changed
        before = tree(place.published)
        assert not command().changed
        assert tree(place.published) == before


def test_a_paused_rollout_never_widens_and_publishing_does_not_resume_it(
    place: Place, rings: Rings, line: Line
) -> None:
    promote(place, to("lab"), rings)
    paused = pause(place, MODEL).rollout
    with pytest.raises(GateError, match="is paused"):
        promote(place, to("next"), rings)
    publish(line.release, line.verdict, place.keys, place.published)
    assert signed(place) == paused


def test_going_back_and_forth(place: Place, rings: Rings) -> None:
    promote(place, to("lab"), rings)
    back = rollback(place, MODEL, None)
    assert (back.version, back.rollout.sequence, back.rollout.withdrawn) == ("0.1.0", 1, 2)
    with pytest.raises(GateError, match="was taken back; name a ring"):
        promote(place, to("next"), rings)  # as cron goes on to ask
    again = promote(place, to("lab"), rings)
    assert (again.changed, again.rollout.sequence, again.rollout.withdrawn) == (True, 2, 2)


def test_only_a_signed_release_can_be_named(place: Place, rings: Rings) -> None:
    with pytest.raises(MissingError, match=r"no release cctv-person@9\.9\.9 was signed"):
        promote(place, to("lab", "9.9.9"), rings)
    with pytest.raises(MissingError, match=r"there are: 0\.1\.0, 0\.2\.0"):
        rollback(place, MODEL, "0.0.1")
    with pytest.raises(MissingError, match="has no rollout of other"):
        pause(place, "other")


def test_only_the_rollout_snapshot_and_timestamp_keys_are_used(
    place: Place, rings: Rings, tmp_path: Path
) -> None:
    online = tmp_path / "online"
    online.mkdir(mode=0o700)
    for name in ("rollout", "snapshot", "timestamp"):
        (online / f"{name}.pem").write_bytes((place.keys / f"{name}.pem").read_bytes())
        (online / f"{name}.pem").chmod(0o600)
    assert promote(Place(place.published, online), to("lab"), rings).changed
    create_keys(tmp_path / "others")
    with pytest.raises(TrustError, match="may not sign 'rollout'"):
        pause(Place(place.published, tmp_path / "others"), MODEL)


def test_a_changed_rollout_is_not_built_upon(place: Place, rings: Rings) -> None:
    for path in (place.published / "targets" / "rollout").glob("*.json"):
        path.write_bytes(path.read_bytes().replace(b'"bound": 0', b'"bound": 9'))
    with pytest.raises(TrustError, match="not the rollout that was signed"):
        promote(place, to("lab"), rings)


def test_filters_stay_until_others_are_named(place: Place, rings: Rings) -> None:
    north = Where(regions=("north",))
    assert promote(place, to("lab", where=north), rings).rollout.regions == ("north",)
    assert not promote(place, to("lab"), rings).changed
    assert promote(place, to("lab", where=Where()), rings).rollout.regions == ()
    with pytest.raises(InputError, match="narrow"):
        promote(place, to("lab", where=north), rings)


def test_two_devices_of_one_site_are_refused(
    place: Place, rings: Rings, witnesses: Witnesses
) -> None:
    promote(place, to("lab"), rings)
    first = (witnesses.devices / "s-0.json").read_bytes()
    (witnesses.devices / "again.json").write_bytes(first)
    with pytest.raises(InputError, match="a second device of site s-0"):
        promote(place, to("next"), rings, witnesses)
    (witnesses.devices / "again.json").write_bytes(first.replace(b"s-0", b"s-9"))
    with pytest.raises(InputError, match="has the device key of"):
        promote(place, to("next"), rings, witnesses)


def test_status_says_how_it_stands_and_writes_nothing(
    place: Place, rings: Rings, witnesses: Witnesses
) -> None:
    now = utc_now()
    lab = promote(place, to("lab"), rings, now=now)
    say(witnesses, lab, range(1), now)
    before = tree(place.published.parent)
    (found,) = status(place.published, rings, witnesses, now + HOUR)
    assert (found.version, found.base, found.next) == ("0.2.0", "0.1.0", "50%")
    assert found.standing is not None
    assert (found.standing.sites, found.standing.heard) == (2, 1)
    assert any("2 are needed" in line for line in found.missing)
    assert tree(place.published.parent) == before


@pytest.fixture
def url() -> Iterator[tuple[str, list[bytes]]]:
    """A web server that answers everything with the lines of a list."""
    lines: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"\n".join(lines)
            self.send_response(200 if lines else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/reports", lines
    server.shutdown()
    thread.join()
    server.server_close()


def test_reports_come_from_a_url_too(
    place: Place, rings: Rings, witnesses: Witnesses, url: tuple[str, list[bytes]]
) -> None:
    where, lines = url
    now = utc_now()
    lab = promote(place, to("lab"), rings, now=now)
    over = Witnesses(where, witnesses.devices)
    with pytest.raises(MissingError, match="the server answers 503"):
        promote(place, to("next"), rings, over, now + HOUR)
    lines += [msgspec.json.format(sealed(lab, n, now), indent=-1) for n in range(2)]
    assert promote(place, to("next"), rings, over, now + HOUR).changed
