"""An update from a real repository, and every attack on it that the runtime must refuse."""

import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from securesystemslib.signer import CryptoSigner

from edge_runtime.cli import main
from edge_runtime.contract import Decisions
from edge_runtime.errors import MissingError, RefusedError, StorageError, TrustError
from edge_runtime.running import active, open_active
from edge_runtime.state import State
from edge_runtime.store import load_journal, save_journal
from edge_runtime.store.slots import note_start
from edge_runtime.trust import highwater
from edge_runtime.trust.http import Http
from edge_runtime.update import Update, Wish, once

from .models import build, squares_onnx
from .publishing import Publisher
from .serving import Server

DAY = 86400.0


def _once(state: State, now: Callable[[], float] = time.time) -> Update:
    return once(state, Wish("squares"), lambda *_: None, Http(timeout=5), now)


def test_a_release_is_pulled_proven_and_activated(state: State, publisher: Publisher) -> None:
    rollout = publisher.publish(build(1))
    update = _once(state)
    assert (update.outcome, update.variant, update.release) == (
        "activated",
        "onnx-fp32",
        rollout.release,
    )
    assert 0 < update.measured_ms["onnx-fp32"] < 100
    open_active(state, active(state, None), threads=1)


def test_a_second_update_changes_nothing_and_fetches_no_blob(
    state: State, publisher: Publisher, server: Server
) -> None:
    publisher.publish(build(1))
    _once(state)
    server.asked.clear()
    assert _once(state).outcome == "current"
    assert not [path for path, _ in server.asked if path.startswith("/blobs/")]


def test_a_newer_release_takes_over_and_the_last_good_one_is_kept(
    state: State, publisher: Publisher
) -> None:
    first = publisher.publish(build(1))
    _once(state)
    second = publisher.publish(build(2))
    assert _once(state).outcome == "activated"
    slots = load_journal(state.journal).of("squares")
    assert slots.active is not None
    assert slots.previous is not None
    assert (slots.active.release.sha256, slots.previous.release.sha256) == (
        second.release,
        first.release,
    )


def test_the_fastest_proven_variant_runs(state: State, publisher: Publisher) -> None:
    models = {"onnx-fp32": squares_onnx(), "onnx-int8": squares_onnx(gain=1.001)}
    publisher.publish(build(1, models))
    update = _once(state)
    assert set(update.measured_ms) == set(models)
    assert update.variant == min(update.measured_ms, key=lambda name: update.measured_ms[name])


def test_a_variant_that_decides_otherwise_here_is_left_out(
    state: State, publisher: Publisher
) -> None:
    models = {"onnx-fp32": squares_onnx(), "onnx-int8": squares_onnx(gain=1.001)}
    wrong = {"onnx-int8": Decisions((0,), (0.99,), ((0.0, 0.0, 8.0, 8.0),))}
    publisher.publish(build(1, models, wrong))
    update = _once(state)
    assert update.variant == "onnx-fp32"
    assert "decides otherwise here" in update.refused["onnx-int8"]


def test_a_golden_mismatch_keeps_the_last_good_release_and_says_why(
    state: State, publisher: Publisher
) -> None:
    first = publisher.publish(build(1))
    _once(state)
    wrong = {"onnx-fp32": Decisions((0,), (0.99,), ((0.0, 0.0, 8.0, 8.0),))}
    publisher.publish(build(2, expected=wrong))
    with pytest.raises(RefusedError, match="decides otherwise here"):
        _once(state)
    slots = load_journal(state.journal).of("squares")
    assert slots.active is not None
    assert slots.active.release.sha256 == first.release
    assert slots.phase == "failed"
    assert "golden case 0" in slots.refused["onnx-fp32"]
    open_active(state, active(state, "squares"), threads=1)


def test_a_site_outside_the_rings_changes_nothing(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1), bound=0)
    assert _once(state).outcome == "not-in-rollout"
    assert load_journal(state.journal).models == {}


def test_a_flipped_bit_in_a_blob_is_refused(
    state: State, publisher: Publisher, server: Server
) -> None:
    built = build(1)
    publisher.publish(built)
    model = built.release.variants[0].files["model.onnx"]
    blob = server.folder / "blobs" / model.sha256
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    with pytest.raises(TrustError, match="changed or damaged on the server"):
        _once(state)
    assert not state.contents.holds(model)
    assert load_journal(state.journal).of("squares").active is None


def test_a_blob_damaged_on_disk_never_runs_and_is_fetched_anew(
    state: State, publisher: Publisher
) -> None:
    built = build(1)
    publisher.publish(built)
    _once(state)
    for ref in (
        built.release.variants[0].files["model.onnx"],
        built.release.golden.cases[0].picture,
    ):
        state.contents.path(ref).write_bytes(b"x" * ref.bytes)
        with pytest.raises(StorageError, match="damaged on disk"):
            open_active(state, active(state, None), threads=1)
        assert _once(state).outcome == "activated"
        open_active(state, active(state, None), threads=1)


def _set_aside(publisher: Publisher) -> Path:
    copy = publisher.folder.with_name("copy")
    shutil.copytree(publisher.folder, copy)
    return copy


def _replay(copy: Path, publisher: Publisher) -> None:
    shutil.rmtree(publisher.folder)
    shutil.copytree(copy, publisher.folder)


def test_an_old_repository_is_refused_after_the_metadata_cache_was_zeroed(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    old = _set_aside(publisher)
    second = publisher.publish(build(2))
    _once(state)
    _replay(old, publisher)
    for path in state.metadata.rglob("*.json"):
        if not path.is_symlink():
            path.write_bytes(b"\0" * path.stat().st_size)  # what a power cut leaves
    with pytest.raises(TrustError, match="an old repository is being replayed"):
        _once(state)
    shutil.rmtree(state.metadata)
    with pytest.raises(TrustError, match="an old repository is being replayed"):
        _once(state)
    slots = load_journal(state.journal).of("squares")
    assert slots.active is not None
    assert slots.active.release.sha256 == second.release


def test_a_replay_is_refused_with_the_cache_intact(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1))
    old = _set_aside(publisher)
    publisher.publish(build(2))
    _once(state)
    _replay(old, publisher)
    with pytest.raises(TrustError, match="version"):
        _once(state)


def test_an_older_release_is_refused_even_under_fresh_metadata(
    state: State, publisher: Publisher
) -> None:
    first = publisher.publish(build(1))
    publisher.publish(build(2))
    _once(state)
    publisher.roll_out(first)
    with pytest.raises(TrustError, match="does not take back"):
        _once(state)


def test_a_clock_set_back_does_not_revive_expired_metadata(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    now = time.time()
    _once(state, now=lambda: now)
    shutil.rmtree(state.metadata)
    with pytest.raises(TrustError, match="set the clock"):
        _once(state, now=lambda: now - 2 * DAY)
    assert highwater.load(state.trust).trusted_time == now


def test_a_clock_a_little_behind_is_borne(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1))
    now = time.time()
    _once(state, now=lambda: now)
    assert _once(state, now=lambda: now - 60).outcome == "current"
    assert highwater.load(state.trust).trusted_time == now


def test_expired_metadata_is_refused(state: State, publisher: Publisher) -> None:
    publisher.life["timestamp"] = timedelta(days=-1)
    publisher.publish(build(1))
    with pytest.raises(TrustError, match="expired"):
        _once(state)


def test_version_numbers_may_start_again_under_new_keys(state: State, publisher: Publisher) -> None:
    """Fast-forward recovery: a stolen timestamp key pushed the version up; root revokes it."""
    publisher.versions["timestamp"] = 1000
    publisher.publish(build(1))
    _once(state)
    publisher.keys["timestamp"] = CryptoSigner.generate_ed25519()
    publisher.versions["timestamp"] = 0
    publisher.sign_root()
    publisher.publish(build(2))
    assert _once(state).outcome == "activated"


def test_a_rollout_cannot_name_what_the_release_role_has_not_signed(
    state: State, publisher: Publisher
) -> None:
    rollout = publisher.publish(build(1))
    publisher.roll_out(msgspec.structs.replace(rollout, release="f" * 64))
    with pytest.raises(TrustError, match="is signed as"):
        _once(state)


def test_what_lies_below_the_signed_floor_does_not_run(state: State, publisher: Publisher) -> None:
    publisher.publish(build(3))
    _once(state)
    newer = publisher.publish(build(4), bound=0)
    publisher.roll_out(msgspec.structs.replace(newer, floor=4))
    assert _once(state).outcome == "not-in-rollout"
    with pytest.raises(RefusedError, match="below the floor 4"):
        active(state, "squares")


def test_metadata_signed_by_another_key_is_refused(state: State, publisher: Publisher) -> None:
    stolen = CryptoSigner.generate_ed25519()
    publisher.publish(build(1), releases_key=stolen)
    with pytest.raises(TrustError, match="releases was signed by 0/1 keys"):
        _once(state)


def test_damaged_high_water_marks_stop_updates_but_not_what_runs(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    _once(state)
    (state.trust / "marks.a.json").write_bytes(b"")
    assert _once(state).outcome == "current"  # one copy suffices, and is written anew
    for path in state.trust.iterdir():
        path.write_bytes(b"\0\0")
    with pytest.raises(TrustError, match="both copies"):
        _once(state)


def test_an_unknown_model_is_named(state: State, publisher: Publisher) -> None:
    with pytest.raises(MissingError, match=r"publishes no rollout/squares\.json"):
        _once(state)


def test_a_server_that_is_gone_is_said_in_one_line(
    state: State, publisher: Publisher, server: Server
) -> None:
    site = state.site()
    state.site_file.write_bytes(
        msgspec.json.encode(msgspec.structs.replace(site, url="http://127.0.0.1:9"))
    )
    with pytest.raises(MissingError, match="nothing answers at this address"):
        _once(state)
    assert "nothing answers" in load_journal(state.journal).of("squares").reason


def test_a_captive_portal_is_told_apart_from_an_attack(
    state: State, publisher: Publisher, server: Server
) -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    server.answers["/metadata/2.root.json"] = lambda h: h.reply(200, b"<html>log in", page)
    with pytest.raises(MissingError, match="captive portal"):
        _once(state)
    server.answers["/metadata/2.root.json"] = lambda h: h.reply(302, b"", {"Location": "/login"})
    with pytest.raises(MissingError, match="redirected to /login"):
        _once(state)


def test_a_url_that_is_no_published_tree_is_said(
    state: State, publisher: Publisher, server: Server
) -> None:
    (server.folder / "metadata" / "timestamp.json").unlink()
    with pytest.raises(MissingError, match="base of a published tree"):
        _once(state)


def test_two_updates_at_once_are_refused(state: State, publisher: Publisher) -> None:
    publisher.publish(build(1))
    with state.lock(), pytest.raises(StorageError, match="is being changed by process"):
        _once(state)


def test_a_full_disk_is_said_and_leaves_the_active_release(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    _once(state)
    newer = build(2, {"onnx-fp32": squares_onnx(gain=1.001)})
    publisher.publish(newer)
    model = newer.release.variants[0].files["model.onnx"]
    (state.contents.partial / model.sha256).symlink_to("/dev/full")
    with pytest.raises(StorageError, match="the disk is full"):
        _once(state)
    active(state, "squares")


def _trial(state: State, retry: bool = False) -> Update:
    wish = Wish("squares", trial=True, retry=retry)
    return once(state, wish, lambda *_: None, Http(timeout=5))


def test_a_trial_waits_beside_what_runs_and_ends_when_nobody_asks_for_it(
    state: State, publisher: Publisher, server: Server
) -> None:
    first = publisher.publish(build(1))
    _once(state)
    second = publisher.publish(build(2))
    assert _trial(state).outcome == "trial"
    server.asked.clear()
    assert _trial(state).outcome == "trial"
    assert not [path for path, _ in server.asked if path.startswith("/blobs/")]
    slots = load_journal(state.journal).of("squares")
    assert slots.active is not None
    assert slots.trial is not None
    assert (slots.active.release.sha256, slots.trial.release.sha256, slots.phase) == (
        first.release,
        second.release,
        "trial",
    )
    publisher.roll_out(msgspec.structs.replace(second, paused=True, edition=2))
    assert _trial(state).outcome == "paused"
    slots = load_journal(state.journal).of("squares")
    assert (slots.trial, slots.phase) == (None, "active")


def test_what_fails_its_trial_is_not_tried_again_until_something_changes(
    state: State, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(build(1))
    _once(state)
    wrong = {"onnx-fp32": Decisions((0,), (0.99,), ((0.0, 0.0, 8.0, 8.0),))}
    publisher.publish(build(2, expected=wrong))
    with pytest.raises(RefusedError, match="decides otherwise here"):
        _trial(state)
    update = _trial(state)
    assert update.outcome == "barred"
    assert "decides otherwise here" in update.reason
    assert load_journal(state.journal).of("squares").phase == "failed"
    with pytest.raises(RefusedError, match="decides otherwise here"):
        _trial(state, retry=True)
    assert _trial(state).outcome == "barred"
    monkeypatch.setattr("edge_runtime.engines.versions", lambda: "onnxruntime 99")
    with pytest.raises(RefusedError, match="decides otherwise here"):
        _trial(state)
    publisher.publish(build(3))
    assert _trial(state).outcome == "trial"


def test_a_self_test_that_was_begun_three_times_and_never_ended_is_not_begun_again(
    state: State, publisher: Publisher
) -> None:
    hangs = publisher.publish(build(1))
    journal = load_journal(state.journal)
    slots = journal.of("squares")
    for at in (1.0, 2.0, 3.0):
        slots = note_start(slots, hangs.release, at)
    save_journal(state.journal, journal.with_model("squares", slots))
    with pytest.raises(RefusedError, match="begun 3 times here and never ended"):
        _trial(state)
    assert _trial(state).outcome == "barred"
    assert _trial(state, retry=True).outcome == "trial"


@pytest.mark.parametrize(("stated", "seconds"), [("120", 120.0), ("soon", 0.0), ("", 0.0)])
def test_a_busy_server_says_when_to_come_back(
    state: State,
    publisher: Publisher,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    stated: str,
    seconds: float,
) -> None:
    publisher.publish(build(1))
    said = {"Retry-After": stated} if stated else {}
    server.answers["/metadata/timestamp.json"] = lambda handler: handler.reply(503, b"", said)
    command = ["--state", str(state.folder), "--json", "once", "--model", "squares"]
    assert main(command) == 3
    assert msgspec.json.decode(capsys.readouterr().out).get("retry_after", 0.0) == seconds
