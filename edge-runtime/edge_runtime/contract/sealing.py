"""How a report, or telemetry, is signed and opened: ed25519 over DSSE's encoding of its bytes.

The envelope is DSSE 1.0 (github.com/secure-systems-lab/dsse, protocol.md), so that other tools can
check it. `cryptography` (9 MB, 50 ms) is imported when a signature is verified.
"""

from typing import TYPE_CHECKING, Final

from edge_runtime.contract.codec import decode, encode
from edge_runtime.contract.reports import Report, ReportSignature, SignedReport
from edge_runtime.contract.telemetry import SignedTelemetry, Telemetry
from edge_runtime.errors import TrustError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PAYLOAD_TYPE: Final = "application/vnd.edgefactory.report+json"
TELEMETRY_TYPE: Final = "application/vnd.edgefactory.telemetry+json"
MAX_SIGNED_BYTES = 64 * 1024


def public_hex(key: "Ed25519PrivateKey") -> str:
    """The public half of `key`, raw, in hex."""
    return key.public_key().public_bytes_raw().hex()


def seal(report: Report, key: "Ed25519PrivateKey") -> SignedReport:
    """`report` in an envelope that `key` has signed."""
    payload = encode(report)
    return SignedReport(PAYLOAD_TYPE, payload, (_signature(PAYLOAD_TYPE, payload, key),))


def seal_telemetry(telemetry: Telemetry, key: "Ed25519PrivateKey") -> SignedTelemetry:
    """`telemetry` in an envelope that `key` has signed."""
    payload = encode(telemetry)
    return SignedTelemetry(TELEMETRY_TYPE, payload, (_signature(TELEMETRY_TYPE, payload, key),))


def peek(signed: SignedReport) -> Report:
    """The report in `signed`, its signature not yet verified. Raises ContractError."""
    return decode(signed.payload, Report, "a report")


def peek_telemetry(signed: SignedTelemetry) -> Telemetry:
    """The telemetry in `signed`, its signature not yet verified. Raises ContractError."""
    return decode(signed.payload, Telemetry, "telemetry")


def verify(signed: SignedReport | SignedTelemetry, key: str) -> None:
    """Raise TrustError unless the device with the public `key` (raw, hex) has signed `signed`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    (signature,) = signed.signatures
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(signature.sig, _encoding(signed.payload_type, signed.payload))
    except (InvalidSignature, ValueError):
        raise TrustError(f"the report is not signed by device key {key[:12]}…") from None


def _signature(payload_type: str, payload: bytes, key: "Ed25519PrivateKey") -> ReportSignature:
    return ReportSignature(public_hex(key), key.sign(_encoding(payload_type, payload)))


def _encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed says what kind of thing it is."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
