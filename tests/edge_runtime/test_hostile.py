"""A hostile repository, with stolen keys and without: the site refuses it and goes on as before.

The registry is the factory's own, with its thresholds; replays, clocks set back and floors are in
`test_update`, block lists in `test_blocking`.
"""

import contextlib
import dataclasses
import datetime as dt
import json
import shutil
import threading
import types
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tuf.api.metadata import MetaFile, TargetFile, Targets
from tuf.ngclient._internal import trusted_metadata_set

from edge_runtime.contract import digest, encode
from edge_runtime.errors import EdgeRuntimeError, MissingError, TrustError
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.trust import highwater
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once
from edgefactory.registry import refresh
from edgefactory.registry.keys import load_signer
from edgefactory.registry.tree import (
    RELEASES,
    ROLLOUT,
    expiry,
    load_tree,
    next_version,
    sign,
    utc_now,
)

from .models import build, squares_onnx
from .registering import Registry, built
from .serving import Handler, Server

pytestmark = pytest.mark.component

FAR = 1_000_000


def update(site: State, timeout: float = 5.0) -> str:
    """One update by the real client; what it came to."""
    return once(site, Wish("squares"), lambda *_: None, Http(timeout)).outcome


def active(site: State) -> int:
    """The sequence of what runs."""
    slot = load_journal(site.journal).of("squares").active
    assert slot is not None
    return slot.sequence


@pytest.fixture
def running(registry: Registry, site: State) -> Iterator[State]:
    """A site that runs release 1; it must still do so after an attack."""
    registry.publish(built(1))
    assert update(site) == "activated"
    yield site
    assert active(site) >= 1


def refused(site: State, match: str, kind: type[EdgeRuntimeError] = TrustError) -> None:
    with pytest.raises(kind, match=match):
        update(site)
    assert active(site) == 1


def nothing(_: Targets) -> None:
    """Change nothing."""


def metadata(registry: Registry, name: str) -> Path:
    return registry.published / "metadata" / name


def test_one_approver_signing_twice_is_one_approver(registry: Registry, running: State) -> None:
    registry.forge(RELEASES, nothing, "line", "line")
    refused(running, "releases was signed by 1/2 keys")


def test_duplicate_signatures_are_counted_once(registry: Registry, running: State) -> None:
    releases = next_version(load_tree(registry.published).releases, RELEASES, utc_now())
    sign(releases, [load_signer(registry.keys, "line")])
    version = releases.signed.version
    document = releases.to_dict()
    document["signatures"] *= 2
    registry.steal_online_keys(lambda meta: {**meta, "releases.json": MetaFile(version)})
    metadata(registry, f"{version}.releases.json").write_text(json.dumps(document))
    refused(running, "does not verify")


@pytest.mark.parametrize("names", [("root-1",), ("root-2", "root-2"), ("targets-1", "targets-2")])
def test_a_root_below_its_threshold_is_refused(
    registry: Registry, running: State, names: tuple[str, ...]
) -> None:
    refresh(registry.keys, registry.published)  # or the site would not look for a root at all
    root = registry.signed_root(2, expiry("root", utc_now()), *names)
    metadata(registry, "2.root.json").write_bytes(root)
    refused(running, "root was signed by")


def test_a_skipped_root_version_is_refused(registry: Registry, running: State) -> None:
    refresh(registry.keys, registry.published)
    root = registry.signed_root(3, expiry("root", utc_now()), "root-1", "root-2")
    metadata(registry, "2.root.json").write_bytes(root)
    refused(running, "Expected root version 2 instead got version 3")


def test_twenty_rotations_are_followed_from_the_first_root(
    registry: Registry, running: State
) -> None:
    """Root keys go round, and all other roles with them now and then, while the site sleeps."""
    held = ["root-1", "root-2", "root-3"]
    others = {role: role for role in ("timestamp", "snapshot", "rollout")}
    others |= {"targets": "targets-1", "releases": "line", "emergency": "emergency-1"}
    for number in range(20):
        roles = [("root", held.pop(0))]
        if number % 3 == 0:
            role = list(others)[number // 3 % len(others)]
            roles.append((role, others[role]))
            others[role] = f"{role}-n{number}"
        registry.rotate(*roles, new=f"n{number}")
        held.append(f"root-n{number}")
    registry.publish(built(2))
    assert update(running) == "activated"
    assert highwater.load(running.trust).roles["root"].version == 21
    shutil.rmtree(running.metadata)  # and again from the root that it was enrolled with
    assert update(running) == "current"


def test_a_revoked_key_signs_nothing_any_more(registry: Registry, running: State) -> None:
    registry.rotate(("rollout", "rollout"), ("releases", "line"), new="2")
    assert update(running) == "current"
    registry.forge(ROLLOUT, nothing, "rollout")
    refused(running, "rollout was signed by 0/1 keys")


def test_a_revoked_approver_approves_nothing_any_more(registry: Registry, running: State) -> None:
    registry.rotate(("releases", "line"), new="2")
    registry.forge(RELEASES, nothing, "line", "approver")
    refused(running, "releases was signed by 1/2 keys")


def test_revoked_online_keys_are_worth_nothing(registry: Registry, running: State) -> None:
    registry.rotate(("snapshot", "snapshot"), ("timestamp", "timestamp"), new="2")
    registry.steal_online_keys(lambda meta: meta, version=50)
    refused(running, "timestamp was signed by 0/1 keys")


def test_the_rollout_key_cannot_sign_a_release(registry: Registry, running: State) -> None:
    evil = built(2).data
    target = TargetFile.from_data("releases/squares/2.0.0/release.json", evil, ["sha256"])

    def name_it(signed: Targets) -> None:
        document = json.loads(
            next((registry.published / "targets" / "rollout").glob("*.json")).read_bytes()
        )
        document |= {"release": digest(evil), "release_path": target.path, "sequence": 2}
        data = encode(document)
        rollout = TargetFile.from_data("rollout/squares.json", data, ["sha256"])
        signed.targets = {rollout.path: rollout, target.path: target}
        for item, content in ((rollout, data), (target, evil)):
            path = registry.published / "targets" / item.get_prefixed_paths()[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    registry.forge(ROLLOUT, name_it, ROLLOUT)
    refused(running, "publishes no releases/squares/2.0.0", MissingError)


def test_a_fast_forward_is_recovered_from_by_new_online_keys(
    registry: Registry, running: State
) -> None:
    """TUF 5.3.11: who stole snapshot and timestamp keys pushed their versions far up."""
    good = metadata(registry, "timestamp.json").read_bytes()
    registry.steal_online_keys(lambda meta: meta, version=FAR)
    assert update(running) == "current"  # it is signed, and the site cannot know
    metadata(registry, "timestamp.json").write_bytes(good)
    metadata(registry, f"{FAR}.snapshot.json").unlink()
    refused(running, "version")
    registry.rotate(("snapshot", "snapshot"), ("timestamp", "timestamp"), new="2")
    assert update(running) == "current"
    marks = highwater.load(running.trust).roles
    assert marks["timestamp"].version < FAR
    assert marks["snapshot"].version < FAR
    registry.publish(built(2))
    assert update(running) == "activated"


@pytest.mark.parametrize("role", ["rollout", "releases", "emergency"])
def test_a_fast_forward_of_a_role_that_was_not_stolen_leaves_no_mark(
    registry: Registry, running: State, role: str
) -> None:
    """A snapshot may state any version of a role; only the role's own keys can make it true."""
    good = metadata(registry, "timestamp.json").read_bytes()
    registry.steal_online_keys(lambda meta: {**meta, f"{role}.json": MetaFile(FAR)})
    refused(running, "404", MissingError)
    assert highwater.load(running.trust).roles[role].version < FAR
    metadata(registry, "timestamp.json").write_bytes(good)
    registry.rotate(("snapshot", "snapshot"), ("timestamp", "timestamp"), new="2")
    assert update(running) == "current"


@pytest.mark.parametrize(
    ("role", "cache"),
    [
        ("targets", "kept"),
        ("releases", "kept"),
        ("rollout", "kept"),
        ("emergency", "kept"),
        ("emergency", "lost"),
    ],
)
def test_a_role_removed_from_the_snapshot_is_refused(
    registry: Registry, running: State, role: str, cache: str
) -> None:
    registry.steal_online_keys(
        lambda meta: {name: file for name, file in meta.items() if name != f"{role}.json"}
    )
    if cache == "lost":
        shutil.rmtree(running.metadata)
    refused(running, "missing info for|not part of snapshot|does not verify")


def test_metadata_of_two_states_does_not_mix(registry: Registry, running: State) -> None:
    old = {p.name: p.read_bytes() for p in metadata(registry, "").iterdir()}
    registry.publish(built(2))
    for newer, older in (
        ("3.releases.json", "2.releases.json"),
        ("3.rollout.json", "2.rollout.json"),
        ("3.snapshot.json", "2.snapshot.json"),
    ):
        good = metadata(registry, newer).read_bytes()
        metadata(registry, newer).write_bytes(old[older])
        shutil.rmtree(running.metadata)  # or it would not ask for what it has verified
        refused(running, "does not verify|cannot be fetched")
        metadata(registry, newer).write_bytes(good)
    assert update(running) == "activated"


def test_truncated_metadata_is_refused(registry: Registry, running: State) -> None:
    registry.publish(built(2))
    current = ("timestamp.json", "3.snapshot.json", "3.releases.json", "3.rollout.json")
    for name in (*current, "1.targets.json", "1.emergency.json"):
        good = metadata(registry, name).read_bytes()
        metadata(registry, name).write_bytes(good[: len(good) // 2])
        shutil.rmtree(running.metadata)
        refused(running, "does not verify|cannot be fetched")
        metadata(registry, name).write_bytes(good)
    assert update(running) == "activated"


def test_metadata_that_breaks_off_is_tried_again(
    registry: Registry, running: State, server: Server
) -> None:
    registry.publish(built(2))
    good = metadata(registry, "timestamp.json").read_bytes()
    server.answers["/metadata/timestamp.json"] = lambda h: h.reply(200, good[:99], None, len(good))
    refused(running, "broke off", MissingError)
    server.answers.clear()
    assert update(running) == "activated"


def without_end(pause: float) -> Callable[[Handler], None]:
    """Answers for ever: as fast as it can, or a byte at a time every `pause` seconds."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        handler.close_connection = True
        wait = threading.Event()
        try:
            while True:
                handler.wfile.write(b" " if pause else b" " * 65536)
                wait.wait(pause)
        except OSError:
            return  # the site has hung up

    return answer


@pytest.mark.parametrize("name", ["2.root.json", "timestamp.json", "3.snapshot.json"])
def test_endless_metadata_is_cut(
    registry: Registry, running: State, server: Server, name: str
) -> None:
    registry.publish(built(2))
    server.answers[f"/metadata/{name}"] = without_end(0)
    refused(running, "cannot be fetched")


@pytest.mark.parametrize("what", ["timestamp", "rollout", "blob"])
def test_a_slow_drip_does_not_hold_the_site(
    registry: Registry, running: State, server: Server, what: str
) -> None:
    release = registry.publish(built(2))
    rollouts = (registry.published / "targets/rollout").iterdir()
    (rollout,) = (path for path in rollouts if b'"sequence": 2' in path.read_bytes())
    blob = release.variants[0].files["model.onnx"].sha256
    path = {
        "timestamp": "/metadata/timestamp.json",
        "rollout": f"/targets/rollout/{rollout.name}",
        "blob": f"/blobs/{blob}",
    }[what]
    if what == "blob":
        running.contents.path(release.variants[0].files["model.onnx"]).unlink()
    server.answers[path] = without_end(0.05)
    with pytest.raises(EdgeRuntimeError, match=r"only \d+ bytes came in"):
        update(running, timeout=0.3)
    assert active(running) == 1


def test_a_clock_far_ahead_stops_updates_and_leaves_no_mark(
    registry: Registry, running: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All metadata looks expired. Once the clock is set, the site goes on."""

    class Ahead(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Ahead":
            return super().now(tz) + timedelta(days=900)

    before = highwater.load(running.trust)
    stand_in = types.SimpleNamespace(datetime=Ahead, timezone=dt.timezone)
    with monkeypatch.context() as patch:
        patch.setattr(trusted_metadata_set, "datetime", stand_in)
        with pytest.raises(TrustError, match="expired"):
            once(
                running,
                Wish("squares"),
                lambda *_: None,
                now=lambda: utc_now().timestamp() + 900 * 86400,
            )
    assert highwater.load(running.trust) == before
    refresh(registry.keys, registry.published)
    assert update(running) == "current"


def test_files_of_two_variants_that_changed_places_are_refused(
    registry: Registry, running: State
) -> None:
    """Each is signed, and one of the release's; but not the one that the variant names."""
    models = {"onnx-fp32": squares_onnx(), "onnx-other": squares_onnx(gain=1.01)}
    release = registry.publish(build(2, models))
    one, other = (variant.files[variant.main].sha256 for variant in release.variants)
    blobs = registry.published / "blobs"
    first, second = (blobs / one).read_bytes(), (blobs / other).read_bytes()
    (blobs / one).write_bytes(second)
    (blobs / other).write_bytes(first)
    refused(running, "SHA-256|longer than|broke off", EdgeRuntimeError)


def test_a_file_name_that_leads_elsewhere_leads_nowhere(
    registry: Registry, running: State, tmp_path: Path
) -> None:
    """Both approvers were fooled: what is fetched lies under its digest, whatever it is called."""
    good = build(2)
    (variant,) = good.release.variants
    evil = "../../../../escaped.onnx"
    moved = replace(variant, main=evil, files={evil: variant.files[variant.main]})
    registry.publish(dataclasses.replace(good, release=replace(good.release, variants=(moved,))))
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(running.folder)}
    with contextlib.suppress(EdgeRuntimeError):
        update(running)
    after = {path for path in tmp_path.rglob("*") if not path.is_relative_to(running.folder)}
    assert after == before
    assert not list(running.folder.rglob("escaped*"))


def test_files_that_nobody_signed_are_never_asked_for(
    registry: Registry, server: Server, running: State
) -> None:
    for folder in ("metadata", "targets", "blobs"):
        (registry.published / folder / "extra").write_bytes(b"evil")
    registry.publish(built(2))
    server.asked.clear()
    assert update(running) == "activated"
    assert not any("extra" in path for path, _ in server.asked)
    assert not list(running.folder.rglob("extra"))
