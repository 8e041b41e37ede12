"""The role keys: made on the spot, kept in files that only their owner can read.

Everything above this module sees a `securesystemslib` signer, so that a file key can become
a hardware key without a change elsewhere. A private key is never logged and never printed.
"""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry.files import make_folder, read_bounded, storage_error, write_atomic

PASSPHRASE = "EDGEFACTORY_KEYS_PASSPHRASE"  # noqa: S105 (the variable's name)
MAX_KEY_BYTES = 1 << 16
OWNER_FIELD = "x-edgefactory-name"

ROOT_KEYS = ("root-1", "root-2", "root-3")
TARGETS_KEYS = ("targets-1", "targets-2", "targets-3")
APPROVERS = ("line", "approver")
ONLINE_KEYS = ("rollout", "snapshot", "timestamp")
KEY_NAMES = (*ROOT_KEYS, *TARGETS_KEYS, *APPROVERS, *ONLINE_KEYS)


def create_keys(folder: Path) -> tuple[str, ...]:
    """Make an ed25519 key for each of KEY_NAMES in `folder`; returns the names.

    The folder gets mode 0700, each `<name>.pem` (PKCS#8) mode 0600, encrypted under the
    environment variable EDGEFACTORY_KEYS_PASSPHRASE when that is set. Keys that are there are
    never overwritten: InputError. The set appears whole or not at all.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty; keys are never overwritten, name another folder")
    work = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    make_folder(work, 0o700)
    try:
        for name in KEY_NAMES:
            write_atomic(work / f"{name}.pem", _new_key(), 0o600)
        work.replace(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        if work.exists():
            for path in work.iterdir():
                path.unlink()
            work.rmdir()
    return KEY_NAMES


def load_signer(folder: Path, name: str) -> CryptoSigner:
    """The signer of key `name` in `folder`; its public key carries `name` in OWNER_FIELD.

    Raises MissingError when there is none, TrustError when others can read it, InputError when
    it is no ed25519 key or the passphrase does not open it.
    """
    path = folder / f"{name}.pem"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise MissingError(
            f"{path} does not exist; make keys first, or name their folder"
        ) from None
    if mode & 0o077:
        raise TrustError(f"{path} has mode {mode:04o}, so others can read it; expected 0600")
    try:
        key = load_pem_private_key(read_bounded(path, MAX_KEY_BYTES), _passphrase())
    except TypeError:
        wanted = "needs" if _passphrase() is None else "is not encrypted; do not give"
        raise InputError(f"{path} {wanted} a passphrase in {PASSPHRASE}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} is not a PKCS#8 key that {PASSPHRASE} opens") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} is not an ed25519 key")
    signer = CryptoSigner(key)
    signer.public_key.unrecognized_fields[OWNER_FIELD] = name
    return signer


def _new_key() -> bytes:
    passphrase = _passphrase()
    encryption: KeySerializationEncryption = (
        NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    )
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _passphrase() -> bytes | None:
    text = os.environ.get(PASSPHRASE)
    return text.encode() if text else None
