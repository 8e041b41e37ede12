"""The device key: made at enrolment, readable by its owner only, never leaves the box."""

import os
from typing import TYPE_CHECKING

from edge_runtime import durable
from edge_runtime.errors import MissingError, TrustError
from edge_runtime.state import State

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_KEY_BYTES = 4096


def load_device_key(state: State) -> "Ed25519PrivateKey":
    """The device's private key. Raises MissingError when there is none, TrustError when it is no
    ed25519 key or others can read it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem = durable.read(state.device_key, MAX_KEY_BYTES, "the device key")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise TrustError(f"{state.device_key} is not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{state.device_key} is not an ed25519 key; enroll anew without the file")
    if os.stat(state.device_key).st_mode & 0o077:  # noqa: PTH116 - mode bits only
        raise TrustError(f"{state.device_key} can be read by others; set its mode to 0600")
    return key


def ensure_device_key(state: State) -> "Ed25519PrivateKey":
    """The device's private key, made when there is none. Raises as `load_device_key`."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        return load_device_key(state)
    except MissingError:
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        durable.write(state.device_key, pem, mode=0o600)
        return key
