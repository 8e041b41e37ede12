"""Signed envelopes (secure-systems-lab/dsse, v1) as bytes: made, and read without belief."""

import msgspec
from msgspec import Struct
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError
from securesystemslib.signer import Signer

from edgefactory.datasets.errors import InputError
from edgefactory.registry.files import parse


class _Signature(Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payloadType: str  # noqa: N815 - the specification's name
    signatures: tuple[_Signature, ...]


def sign_envelope(payload: bytes, payload_type: str, signer: Signer) -> Envelope:
    """`payload`, signed by `signer`."""
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(signer)
    return envelope


def read_envelope(data: bytes, payload_type: str, source: str) -> Envelope:
    """The envelope in `data`, whose signatures nobody has verified yet. Raises InputError."""
    document = parse(data, _Envelope, source)
    try:
        envelope = Envelope.from_dict(msgspec.to_builtins(document))
    except (ValueError, FormatError) as error:  # base64 that is none, a key that signs twice
        raise InputError(f"{source} is not a DSSE envelope ({error}); make it anew") from error
    if envelope.payload_type != payload_type:
        raise InputError(f"{source} holds {envelope.payload_type!r}, expected {payload_type!r}")
    return envelope
