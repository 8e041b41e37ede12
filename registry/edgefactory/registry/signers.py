"""From a key's reference to a signer: a file, an environment variable, or a hardware token.

    keys/root-1.pem         a file (also `file:keys/root-1.pem`): ed25519, PKCS#8, mode 0600
    env:SNAPSHOT_KEY        an environment variable that holds such a file's text
    hsm:2?label=TOKEN       key 2 of a PKCS#11 token: ECDSA P-256 or P-384; the module is named by
                            the environment variable PYKCS11LIB (securesystemslib's HSMSigner)

Passphrase and PIN come from the environment, or are asked for at a terminal. Neither they nor a
private key is ever logged or printed.
"""

import getpass
import os
import stat
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, HSMSigner, Signer

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry.files import read_bounded

PASSPHRASE = "EDGEFACTORY_KEYS_PASSPHRASE"  # noqa: S105 (the variable's name)
PIN = "EDGEFACTORY_HSM_PIN"
MAX_KEY_BYTES = 1 << 16
PIV_SIGNATURE_KEY = 2  # HSMSigner's default


def open_signer(reference: str) -> Signer:
    """The signer that `reference` names.

    Raises MissingError when there is no such key, TrustError when others can read its file,
    InputError when it is no key that we sign with, or the passphrase or PIN does not open it.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        text = os.environ.get(rest)
        if not text:
            raise MissingError(f"{reference}: the environment variable {rest!r} is not set")
        return _ed25519(text.encode(), reference)
    if scheme == HSMSigner.SCHEME:
        return _token(reference)
    path = Path(rest if scheme == "file" else reference)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise MissingError(
            f"{path} does not exist; make keys first, or name their folder"
        ) from None
    if mode & 0o077:
        raise TrustError(f"{path} has mode {mode:04o}, so others can read it; expected 0600")
    return _ed25519(read_bounded(path, MAX_KEY_BYTES), str(path))


def passphrase() -> bytes | None:
    """The passphrase of key files in the environment, if there is one."""
    text = os.environ.get(PASSPHRASE)
    return text.encode() if text else None


def ask(what: str) -> str | None:
    """What a person types at the terminal, unseen; None where there is no terminal."""
    return getpass.getpass(f"{what}: ") if sys.stdin.isatty() else None


def _ed25519(pem: bytes, source: str) -> Signer:
    secret = passphrase()
    if secret is None and b"BEGIN ENCRYPTED PRIVATE KEY" in pem:
        typed = ask(f"passphrase of {source}")
        secret = typed.encode() if typed else None
    try:
        key = load_pem_private_key(pem, secret)
    except TypeError:
        wanted = "needs" if secret is None else "is not encrypted; do not give"
        raise InputError(f"{source} {wanted} a passphrase in {PASSPHRASE}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{source} is not a PKCS#8 key that {PASSPHRASE} opens") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{source} is not an ed25519 key")
    return CryptoSigner(key)


def _token(reference: str) -> Signer:
    parts = urlsplit(reference)
    if parts.path and not parts.path.isdecimal():
        raise InputError(f"{reference}: expected hsm:NUMBER?label=TOKEN, as hsm:2?label=edge")
    number = int(parts.path or PIV_SIGNATURE_KEY)
    label = dict(parse_qsl(parts.query)).get("label")
    try:
        uri, public = HSMSigner.import_(number, label, _pin)
        return HSMSigner.from_priv_key_uri(uri, public, _pin)
    except UnsupportedLibraryError:
        raise MissingError(
            f"{reference} needs python-pkcs11; pip install 'edgefactory[hsm]'"
        ) from None
    except (ValueError, RuntimeError) as error:  # python-pkcs11's errors are RuntimeErrors
        reason = str(error) or type(error).__name__
        raise InputError(f"{reference} cannot be used: {reason}") from error


def _pin(_what: str) -> str:
    pin = os.environ.get(PIN) or ask("PIN of the token")
    if not pin:
        raise InputError(f"the token needs a PIN in {PIN}")
    return pin
