"""Role keys: made once, readable by their owner only, opened by the right passphrase only."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import KEY_NAMES, create_keys
from edgefactory.registry.keys import load_signer
from edgefactory.registry.signers import PASSPHRASE


def test_keys_are_their_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert create_keys(folder) == KEY_NAMES
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.pem")} == {0o600}
    assert {path.stem for path in folder.iterdir()} == set(KEY_NAMES)
    ids = {load_signer(folder, name).public_key.keyid for name in KEY_NAMES}
    assert len(ids) == len(KEY_NAMES)


def test_keys_are_never_overwritten(keys: Path) -> None:
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    with pytest.raises(InputError, match="never overwritten"):
        create_keys(keys)
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_a_passphrase_locks_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    folder = tmp_path / "keys"
    create_keys(folder)
    load_signer(folder, "line")
    monkeypatch.setenv(PASSPHRASE, "battery staple")
    with pytest.raises(InputError, match="opens") as wrong:
        load_signer(folder, "line")
    monkeypatch.delenv(PASSPHRASE)
    with pytest.raises(InputError, match="needs a passphrase") as none:
        load_signer(folder, "line")
    said = caplog.text + str(wrong.value) + str(none.value)
    assert "horse" not in said
    assert "staple" not in said


def test_a_passphrase_for_open_keys_is_refused(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    with pytest.raises(InputError, match="not encrypted"):
        load_signer(keys, "line")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    (tmp_path / "keys" / "line.pem").chmod(0o644)
    with pytest.raises(TrustError, match="0600"):
        load_signer(tmp_path / "keys", "line")


def test_a_key_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"line\.pem"):
        load_signer(tmp_path, "line")


def test_something_else_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "line.pem"
    path.write_text("hello")
    path.chmod(0o600)
    with pytest.raises(InputError, match="PKCS#8"):
        load_signer(tmp_path, "line")
