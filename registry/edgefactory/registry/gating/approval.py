"""Who approves a release before it is gated: a signed statement about its bytes.

An approval is a DSSE envelope (secure-systems-lab/dsse, v1) around `approval/1`, signed with an
ed25519 key whose public half stands in the policy. It does not publish anything: that needs the TUF
signatures of the line and the approver all the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signer, SSlibKey

from edge_runtime.contract import encode
from edge_runtime.contract.release import Sha256
from edgefactory.registry.dsse import read_envelope, sign_envelope
from edgefactory.registry.files import parse, read_bounded

PAYLOAD_TYPE: Final = "application/vnd.edgefactory.approval+json"
_MAX_BYTES: Final = 1 << 16


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed: `name` approves the release whose release.json has that SHA-256."""

    schema: Literal["approval/1"]
    release: Sha256
    name: str


@dataclass(frozen=True)
class Approval:
    """A statement and its signatures, which nobody has verified yet."""

    statement: Statement
    envelope: Envelope

    def signed_by(self, key: str) -> bool:
        """Whether the ed25519 public key (hex) made one of the signatures."""
        for signature in self.envelope.signatures.values():
            # The key's id is whatever its owner calls it; the key itself decides.
            public = SSlibKey(signature.keyid, "ed25519", "ed25519", {"public": key})
            try:
                public.verify_signature(signature, self.envelope.pae())
            except UnverifiedSignatureError:
                continue
            return True
        return False


def sign_approval(release: str, name: str, signer: Signer) -> bytes:
    """The approval by `name` of the release with that digest, as a file."""
    statement = encode(Statement("approval/1", release, name))
    return encode(sign_envelope(statement, PAYLOAD_TYPE, signer).to_dict())


def read_approval(path: Path) -> Approval:
    """The approval at `path`; its signatures are not verified. Raises MissingError, InputError."""
    envelope = read_envelope(read_bounded(path, _MAX_BYTES), PAYLOAD_TYPE, str(path))
    return Approval(parse(envelope.payload, Statement, str(path)), envelope)
