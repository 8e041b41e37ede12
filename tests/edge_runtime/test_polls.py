"""How a site asks: one short question while nothing is new, and no document twice.

Whoever answers falsely gains no more than who replays the cached timestamp: attacks with stolen
keys are in `test_hostile`, single documents over the wire in `test_http`.
"""

import gzip
import shutil
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path

import pytest

from edge_runtime.errors import EdgeRuntimeError, MissingError, TrustError
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.trust import highwater
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once
from edgefactory.registry import Ban, refresh
from edgefactory.registry.rollouts import Place, pause
from edgefactory.registry.tree import utc_now

from .registering import Registry, built
from .serving import LONG_AGO, Handler, Server

pytestmark = pytest.mark.component

TIMESTAMP = "/metadata/timestamp.json"
PACKED = {"Content-Encoding": "gzip"}


def update(site: State, days: float = 0.0) -> str:
    """One update by the real client, `days` from now."""
    at = utc_now().timestamp() + days * 86_400
    return once(site, Wish("squares"), lambda *_: None, Http(timeout=5), lambda: at).outcome


@pytest.fixture
def running(registry: Registry, site: State, server: Server) -> State:
    """A site that runs release 1."""
    registry.publish(built(1))
    assert update(site) == "activated"
    server.asked.clear()
    server.conditions.clear()
    return site


def refused(
    site: State, match: str, kind: type[EdgeRuntimeError] = TrustError, days: float = 0.0
) -> None:
    with pytest.raises(kind, match=match):
        update(site, days)
    slot = load_journal(site.journal).of("squares").active
    assert slot is not None
    assert slot.sequence == 1


def paths(server: Server) -> list[str]:
    """What was asked for since the last look."""
    found = [path for path, _ in server.asked]
    server.asked.clear()
    return found


def always(status: int, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(status, b"", headers)


def test_while_nothing_is_new_a_poll_is_one_conditional_request(
    running: State, server: Server
) -> None:
    for _ in range(2):
        assert update(running) == "current"
        assert paths(server) == [TIMESTAMP]
    assert server.conditions[0] != ""


def test_what_is_new_is_asked_for_once_with_the_next_root_first(
    registry: Registry, running: State, server: Server
) -> None:
    registry.publish(built(2))
    assert update(running) == "activated"
    asked = paths(server)
    assert asked[:3] == [TIMESTAMP, "/metadata/2.root.json", "/metadata/3.snapshot.json"]
    assert len(asked) == len(set(asked))
    assert update(running) == "current"
    assert paths(server) == [TIMESTAMP]


def test_a_block_list_and_new_keys_are_seen_at_the_next_poll(
    registry: Registry, running: State, server: Server
) -> None:
    registry.rotate(("root", "root-1"), new="new")
    assert update(running) == "current"
    assert "/metadata/2.root.json" in paths(server)
    registry.ban(Ban("squares", "1.0.0", "bad", "block"))
    with pytest.raises(EdgeRuntimeError, match="blocked: bad"):
        update(running)
    assert load_journal(running.journal).of("squares").active is None


def test_new_keys_are_seen_also_by_who_came_between_the_timestamp_and_the_root(
    registry: Registry, running: State, server: Server
) -> None:
    """A publisher writes the root last; who has the timestamp by then asks in full once more."""
    registry.rotate(("root", "root-1"), new="new")
    root = registry.published / "metadata" / "2.root.json"
    late = root.rename(registry.published / "late")
    body = (registry.published / "metadata" / "timestamp.json").read_bytes()

    def just_written(handler: Handler) -> None:
        now = format_datetime(utc_now(), usegmt=True)
        handler.reply(200, body, {"ETag": '"new"', "Last-Modified": now})

    server.answers[TIMESTAMP] = just_written
    assert update(running) == "current"
    assert highwater.load(running.trust).roles["root"].version == 1
    late.rename(root)
    assert update(running) == "current"
    assert highwater.load(running.trust).roles["root"].version == 2


CHANGES: dict[str, Callable[[Registry], object]] = {
    "refresh": lambda registry: refresh(registry.keys, registry.published),
    "publish": lambda registry: registry.publish(built(2)),
    "rotate root": lambda registry: registry.rotate(("root", "root-1"), new="new"),
    "rotate timestamp": lambda registry: registry.rotate(("timestamp", "timestamp"), new="new"),
    "rotate releases": lambda registry: registry.rotate(("releases", "line"), new="new"),
    "rotate emergency": lambda registry: registry.rotate(("emergency", "emergency-1"), new="new"),
    "block": lambda registry: registry.ban(Ban("squares", "1.0.0", "bad", "block")),
    "revoke": lambda registry: registry.ban(Ban("squares", "1.0.0", "bad", "revoke")),
    "pause": lambda registry: pause(Place(registry.published, registry.keys), "squares"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_comes_with_a_new_timestamp(registry: Registry, change: str) -> None:
    """Sites look at nothing else before they see one."""
    registry.publish(built(1))
    path = registry.published / "metadata" / "timestamp.json"
    before = path.read_bytes()
    CHANGES[change](registry)
    assert path.read_bytes() != before


def test_a_false_not_modified_holds_no_longer_than_what_is_cached(
    registry: Registry, running: State, server: Server
) -> None:
    """As whoever serves the old timestamp and no next root: a freeze, until it expires."""
    server.answers[TIMESTAMP] = always(304)
    registry.publish(built(2))
    assert update(running, days=1.9) == "current"
    refused(running, "'not modified' is no answer", MissingError, days=2.1)
    assert server.conditions[-1] == ""
    server.answers.clear()
    assert update(running, days=2.1) == "activated"


def test_a_false_not_modified_makes_nothing_of_damaged_metadata(
    registry: Registry, running: State, server: Server
) -> None:
    server.answers[TIMESTAMP] = always(304)
    for name in ("snapshot.json", "releases.json", "rollout.json"):
        (running.metadata / name).write_bytes(b"{}")
    assert update(running) == "current"  # asked for again, by what the timestamp vouches for
    cached = running.metadata / "timestamp.json"
    cached.write_bytes(cached.read_bytes()[::-1])
    refused(running, "'not modified' is no answer", MissingError)


def test_a_cache_that_has_lost_its_newer_roots_is_filled_again(
    registry: Registry, running: State, server: Server
) -> None:
    registry.rotate(("root", "root-1"), ("timestamp", "timestamp"), new="new")
    assert update(running) == "current"
    (running.metadata / "root_history" / "2.root.json").unlink()
    paths(server)
    assert update(running) == "current"
    assert paths(server) == [TIMESTAMP, "/metadata/2.root.json", "/metadata/3.root.json", TIMESTAMP]


def test_the_etag_of_another_timestamp_is_not_sent(
    registry: Registry, running: State, server: Server
) -> None:
    """A cache of two times, as a power cut may leave it."""
    old = (running.metadata / "timestamp.json").read_bytes()
    registry.publish(built(2))
    assert update(running) == "activated"
    (running.metadata / "timestamp.json").write_bytes(old)
    server.conditions.clear()
    assert update(running) == "current"
    assert set(server.conditions) == {""}


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "no text": lambda _: b"\xff",
    "deep": lambda _: b"[" * 900,
    "a number": lambda _: b'{"etag": 1, "sha256": ""}',
    "a header more": lambda good: good.replace(b'"etag": "', b'"etag": "\\r\\nX: '),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_memory_of_the_etag_costs_a_whole_poll(
    running: State, server: Server, damage: str
) -> None:
    file = running.metadata / "timestamp.etag"
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert update(running) == "current"
    assert set(server.conditions) == {""}
    assert update(running) == "current"
    assert server.conditions[-1] != ""


def test_an_etag_that_came_with_another_body_is_not_kept(
    registry: Registry, running: State, server: Server
) -> None:
    """A body of the same version is not taken over, so its ETag says nothing of the cached one."""
    (running.metadata / "timestamp.etag").unlink()
    body = (registry.published / "metadata" / "timestamp.json").read_bytes()

    def answer(handler: Handler) -> None:
        handler.reply(200, body + b"\n", {"ETag": '"other"', "Last-Modified": LONG_AGO})

    server.answers[TIMESTAMP] = answer
    assert update(running) == "current"
    assert not (running.metadata / "timestamp.etag").exists()


def test_a_captive_portal_in_place_of_the_timestamp(running: State, server: Server) -> None:
    page = b"<html>log in"
    server.answers[TIMESTAMP] = lambda h: h.reply(200, page, {"Content-Type": "text/html"})
    refused(running, "captive portal", MissingError)
    server.answers[TIMESTAMP] = lambda h: h.reply(200, page, {"ETag": '"p"'})
    refused(running, "does not verify")
    server.answers[TIMESTAMP] = always(302, Location="http://log.in/")
    refused(running, "redirected to http://log.in/", MissingError)
    server.answers.clear()
    assert update(running) == "current"
    assert paths(server)[-1] == TIMESTAMP


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_in_trouble_is_asked_once(running: State, server: Server, status: int) -> None:
    server.answers[TIMESTAMP] = always(status)
    refused(running, f"the server answers {status}", MissingError)
    assert paths(server) == [TIMESTAMP]


def test_documents_are_not_fetched_again_while_they_are_signed_as_before(
    registry: Registry, running: State, server: Server
) -> None:
    refresh(registry.keys, registry.published)
    assert update(running) == "current"
    assert not [path for path in paths(server) if path.startswith("/targets/")]


def test_a_damaged_document_is_fetched_again(
    registry: Registry, running: State, server: Server
) -> None:
    kept = sorted((running.metadata / "documents").iterdir())
    assert len(kept) == 2  # the rollout, and the release
    for path in kept:
        path.write_bytes(path.read_bytes().replace(b"1.0.0", b"6.6.6"))
    assert update(running) == "current"
    assert len(paths(server)) == 3
    assert update(running) == "current"
    assert paths(server) == [TIMESTAMP]


def test_of_each_kind_only_the_newest_document_is_kept(registry: Registry, running: State) -> None:
    for sequence in (2, 3):
        registry.publish(built(sequence))
        assert update(running) == "activated"
    assert len(list((running.metadata / "documents").iterdir())) == 2


@pytest.mark.parametrize("name", ["2.snapshot.json", "2.releases.json"])
def test_a_gzip_bomb_in_place_of_metadata_is_cut(
    registry: Registry, site: State, server: Server, name: str
) -> None:
    registry.publish(built(1))
    bomb = gzip.compress(bytes(20_000_000))
    server.answers[f"/metadata/{name}"] = lambda h: h.reply(200, bomb, PACKED)
    with pytest.raises(TrustError, match="cannot be fetched"):
        update(site)
    server.answers.clear()
    assert update(site) == "activated"


def test_a_gzip_that_breaks_off_is_tried_again(
    registry: Registry, site: State, server: Server
) -> None:
    registry.publish(built(1))
    whole = (registry.published / "metadata" / "2.releases.json").read_bytes()
    part = gzip.compress(whole)[:-20]
    server.answers["/metadata/2.releases.json"] = lambda h: h.reply(200, part, PACKED)
    with pytest.raises(MissingError, match="broke off within its gzip"):
        update(site)
    server.answers.clear()
    assert update(site) == "activated"


def test_a_server_without_gzip_serves_a_whole_update(
    registry: Registry, site: State, server: Server
) -> None:
    server.packs = False
    registry.publish(built(1))
    assert update(site) == "activated"


def test_where_documents_cannot_be_kept_the_site_updates_all_the_same(
    registry: Registry, running: State, tmp_path: Path
) -> None:
    shutil.rmtree(running.metadata / "documents")
    (running.metadata / "documents").write_bytes(b"in the way")
    registry.publish(built(2))
    assert update(running) == "activated"
