"""Role keys: made once, readable by their owner only, opened by the right passphrase only."""

from __future__ import annotations

import getpass
import logging
import stat
import sys
from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import (
    KEY_NAMES,
    PublicKey,
    create_key,
    create_keys,
    open_signer,
    public_key,
    read_public,
)
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


def test_a_passphrase_is_asked_for_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(tmp_path, "line", b"correct horse")
    typed = iter(["correct horse", "battery staple", ""])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))
    load_signer(tmp_path, "line")
    with pytest.raises(InputError, match="opens"):
        load_signer(tmp_path, "line")
    with pytest.raises(InputError, match="needs a passphrase"):
        load_signer(tmp_path, "line")


def test_a_key_may_lie_in_the_environment_or_elsewhere_by_reference(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_signer(keys, "line").public_key.keyid
    monkeypatch.setenv("LINE_KEY", (keys / "line.pem").read_text())
    for reference in ("env:LINE_KEY", f"file:{keys / 'line.pem'}", str(keys / "line.pem")):
        (tmp_path / "line.uri").write_text(f"{reference}\n")
        assert load_signer(tmp_path, "line").public_key.keyid == expected
    monkeypatch.delenv("LINE_KEY")
    with pytest.raises(MissingError, match="'LINE_KEY' is not set"):
        open_signer("env:LINE_KEY")


def test_the_public_half_is_the_key_without_its_secret(keys: Path) -> None:
    signer = load_signer(keys, "line")
    public = read_public(keys / "line.pub")
    assert public == public_key(signer, "line")
    assert public.key().keyid == signer.public_key.keyid
    public.key().verify_signature(signer.sign(b"data"), b"data")
    assert "PRIVATE" not in (keys / "line.pub").read_text()


@pytest.mark.parametrize("name", ["../evil", "", "Line", "a" * 65, "a/b", "line.pem"])
def test_a_name_is_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        create_key(tmp_path / "keys", name, None)
    assert not list(tmp_path.rglob("*.p*"))


def test_a_public_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    other = generate_private_key(65537, 2048).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for public in (pem, "hello"):
        with pytest.raises(InputError, match="'line' is"):
            PublicKey("key/1", "line", public).key()


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
