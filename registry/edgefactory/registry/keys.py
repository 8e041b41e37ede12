"""The role keys: who is called what, keys made on the spot, public keys to hand to others.

A folder of keys holds, by name, `<name>.pem` (a private key that lies here) or `<name>.uri` (one
line: where it lies instead, see `signers`), and `<name>.pub`, the public half as a document. A
private key never leaves its folder; public ones are what people exchange.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from msgspec import Meta, Struct
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from edge_runtime.contract import encode
from edgefactory.datasets.errors import InputError
from edgefactory.registry.files import (
    make_folder,
    parse,
    read_bounded,
    storage_error,
    write_atomic,
)
from edgefactory.registry.signers import MAX_KEY_BYTES, open_signer, passphrase

OWNER_FIELD = "x-edgefactory-name"
KEY_TYPES = ("ed25519", "ecdsa")

ROOT_KEYS = ("root-1", "root-2", "root-3")
TARGETS_KEYS = ("targets-1", "targets-2", "targets-3")
APPROVERS = ("line", "approver")
EMERGENCY_KEYS = ("emergency-1", "emergency-2", "emergency-3")
ONLINE_KEYS = ("rollout", "snapshot", "timestamp")
KEY_NAMES = (*ROOT_KEYS, *TARGETS_KEYS, *APPROVERS, *EMERGENCY_KEYS, *ONLINE_KEYS)

KeyName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]


class PublicKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A key as others know it: what it is called, and its public half (PEM)."""

    schema: Literal["key/1"]
    name: KeyName
    public: str

    def key(self) -> SSlibKey:
        """The key as metadata holds it, with its name; its id follows from its content.

        Raises InputError when it is neither ed25519 nor ECDSA.
        """
        try:
            key = SSlibKey.from_crypto(load_pem_public_key(self.public.encode()))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InputError(f"the key {self.name!r} is not a public key: {error}") from error
        if key.keytype not in KEY_TYPES:
            raise InputError(f"the key {self.name!r} is of kind {key.keytype}; use {KEY_TYPES}")
        key.unrecognized_fields[OWNER_FIELD] = self.name
        return key


def create_keys(folder: Path) -> tuple[str, ...]:
    """Make a key for each of KEY_NAMES in `folder`, which must be empty; returns the names.

    For a demo, in which one machine plays all the people. The keys are encrypted under the
    environment variable EDGEFACTORY_KEYS_PASSPHRASE when that is set. The folder gets mode 0700
    and appears whole or not at all. Raises as `create_key`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty; keys are never overwritten, name another folder")
    work = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    make_folder(work, 0o700)
    try:
        for name in KEY_NAMES:
            create_key(work, name, passphrase())
        work.replace(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        if work.exists():
            for path in work.iterdir():
                path.unlink()
            work.rmdir()
    return KEY_NAMES


def create_key(folder: Path, name: str, secret: bytes | None) -> Path:
    """Make the ed25519 key `name` in `folder`, encrypted under `secret`; returns its public file.

    The private file `<name>.pem` (PKCS#8) has mode 0600. A key that is there is never
    overwritten: InputError.
    """
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    there = next((path for path in (private, public) if path.exists()), None)
    if there is not None:
        raise InputError(f"{there} exists; keys are never overwritten, choose another name")
    encryption: KeySerializationEncryption = (
        NoEncryption() if secret is None else BestAvailableEncryption(secret)
    )
    key = Ed25519PrivateKey.generate()
    document = public_key(CryptoSigner(key), name)
    make_folder(folder, 0o700)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    write_atomic(private, pem, 0o600)
    write_public(public, document)
    return public


def public_key(signer: Signer, name: str) -> PublicKey:
    """The public half of `signer`, under `name`. Raises InputError for a name that is none."""
    content = str(signer.public_key.keyval["public"])
    if signer.public_key.keytype == "ed25519":  # TUF writes these in hex, others as PEM
        raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex(content))
        content = raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    document = {"schema": "key/1", "name": name, "public": content}
    return parse(encode(document), PublicKey, f"key {name!r}")


def write_public(path: Path, key: PublicKey) -> None:
    """Write `key` to `path`."""
    write_atomic(path, encode(key))


def read_public(path: Path) -> PublicKey:
    """The public key at `path`. Raises MissingError, InputError."""
    return parse(read_bounded(path, MAX_KEY_BYTES), PublicKey, str(path))


def public_in(folder: Path, name: str) -> SSlibKey:
    """The public key `name` in `folder`: its `.pub`, or that of its private key.

    Raises MissingError when neither is there, and as `load_signer`.
    """
    path = folder / f"{name}.pub"
    if not path.exists():
        return public_key(load_signer(folder, name), name).key()
    found = read_public(path)
    if found.name != name:
        raise InputError(f"{path} is the key of {found.name!r}; expected {name!r}")
    return found.key()


def load_signer(folder: Path, name: str) -> Signer:
    """The signer of key `name` in `folder`, from `<name>.pem` or by `<name>.uri`.

    Raises as `signers.open_signer`.
    """
    pointer = folder / f"{name}.uri"
    if not pointer.exists():
        return open_signer(str(folder / f"{name}.pem"))
    try:
        return open_signer(read_bounded(pointer, MAX_KEY_BYTES).decode().strip())
    except UnicodeDecodeError:
        raise InputError(f"{pointer} is not text; expected a key's reference") from None


def holds(folder: Path, name: str) -> bool:
    """Whether `folder` has the private key `name`, or says where it lies."""
    return any((folder / f"{name}{end}").exists() for end in (".pem", ".uri"))


def owner(key: Key) -> str:
    """What the metadata calls the holder of `key`."""
    return str(key.unrecognized_fields.get(OWNER_FIELD, ""))
