"""What the line says it did, signed: in-toto Statements v1 about training, evaluation and gate.

Each is a DSSE envelope on a line of its own (in-toto's bundle, JSON lines). `release build` makes
those of training and evaluation, in the release's folder; `gate` makes its own, beside the verdict.
They say nothing that the release and the verdict do not; they say who stands for it. So what is
checked is that the statement is the one that these very bytes lead to, and whose key signed it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signer

from edge_runtime.contract import Lineage, Release, digest
from edgefactory.datasets.errors import TrustError
from edgefactory.registry.dsse import read_envelope, sign_envelope
from edgefactory.registry.files import parse, read_bounded, write_atomic
from edgefactory.registry.gating.gathering import MAX_RELEASE_BYTES, RELEASE_FILE
from edgefactory.registry.gating.verdict import Verdict
from edgefactory.registry.keys import owner

FILE: Final = "attestations.intoto.jsonl"
GATE_FILE: Final = "gate.intoto.jsonl"
MAX_BYTES: Final = 1 << 20
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

Kind = Literal["training", "evaluation", "gate"]
KINDS: Final[tuple[Kind, ...]] = ("training", "evaluation", "gate")
PREDICATES: Final[Mapping[Kind, str]] = {
    "training": "https://slsa.dev/provenance/v1",
    "evaluation": "urn:edgefactory:evaluation:1",
    "gate": "urn:edgefactory:gate:1",
}
TRAINING: Final = "urn:edgefactory:training:1"  # the buildType
LINE: Final = "urn:edgefactory:line"  # the builder


class Thing(Struct, frozen=True, forbid_unknown_fields=True):
    """Something by its digest (in-toto's ResourceDescriptor)."""

    name: str
    digest: dict[str, str]


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement v1; what `predicate` holds depends on its type."""

    type: Literal["https://in-toto.io/Statement/v1"] = field(name="_type")
    subject: tuple[Thing, ...]
    predicateType: str  # noqa: N815 - the specification's name
    predicate: dict[str, object]


@dataclass(frozen=True)
class Judged:
    """A release as bytes and as what they say, and the bytes of its verdict."""

    data: bytes
    release: Release
    verdict: bytes


class Attested(Struct, frozen=True):
    """Who stands for a step. `known` False: by a key that may sign no release any more."""

    kind: str
    keyid: str
    name: str
    known: bool = True


def statement(kind: Kind, judged: Judged) -> Statement:
    """What there is to say about that step of the line, by these bytes."""
    release = judged.release
    subject: tuple[Thing, ...]
    if kind == "training":
        subject = (_thing("model.safetensors", release.lineage.checkpoint_sha256),)
        predicate = _training(release.lineage)
    elif kind == "evaluation":
        subject = tuple(
            _thing(f"{variant.name}/{name}", ref.sha256)
            for variant in release.variants
            for name, ref in sorted(variant.files.items())
        )
        predicate = _evaluation(release)
    else:
        subject = (_thing(RELEASE_FILE, digest(judged.data)),)
        predicate = _gate(judged.verdict)
    return Statement("https://in-toto.io/Statement/v1", subject, PREDICATES[kind], predicate)


def sign_statement(said: Statement, signer: Signer) -> bytes:
    """`said` as one line of a bundle."""
    envelope = sign_envelope(msgspec.json.encode(said), PAYLOAD_TYPE, signer)
    return msgspec.json.encode(envelope.to_dict()) + b"\n"


def attest_release(folder: Path, signer: Signer) -> Path:
    """Sign for training and evaluation of the release in `folder`; returns the file in it."""
    data = read_bounded(folder / RELEASE_FILE, MAX_RELEASE_BYTES)
    judged = Judged(data, parse(data, Release, str(folder / RELEASE_FILE)), b"")
    said = [sign_statement(statement(kind, judged), signer) for kind in KINDS[:2]]
    write_atomic(folder / FILE, b"".join(said))
    return folder / FILE


def attest_verdict(folder: Path, verdict: Path, signer: Signer) -> Path:
    """Sign for the verdict in the file `verdict` on the release in `folder`."""
    data = read_bounded(folder / RELEASE_FILE, MAX_RELEASE_BYTES)
    release = parse(data, Release, str(folder / RELEASE_FILE))
    judged = Judged(data, release, read_bounded(verdict, MAX_BYTES))
    path = verdict.with_name(GATE_FILE)
    write_atomic(path, sign_statement(statement("gate", judged), signer))
    return path


def read_bundle(folder: Path, verdict: Path) -> bytes:
    """All that was signed about the release in `folder` and its verdict; empty where nothing is."""
    paths = [folder / FILE, verdict.with_name(GATE_FILE)]
    found = [read_bounded(path, MAX_BYTES) for path in paths if path.exists()]
    return b"".join(line + b"\n" for data in found for line in data.splitlines())


def check_bundle(bundle: bytes, judged: Judged, keys: Sequence[Key]) -> tuple[Attested, ...]:
    """Who signed each of the steps, by one of `keys`.

    Raises TrustError when one is missing, forged, or about other bytes.
    """
    return tuple(
        _require_signed(kind, envelope, keys) for kind, envelope in _envelopes(bundle, judged)
    )


def look_at_bundle(bundle: bytes, judged: Judged, keys: Sequence[Key]) -> tuple[Attested, ...]:
    """As `check_bundle`, of one that two have signed for: a key may have been replaced since.

    Raises TrustError all the same when a signature by one of `keys` does not verify.
    """
    found = []
    known = {key.keyid for key in keys}
    for kind, envelope in _envelopes(bundle, judged):
        gone = next((keyid for keyid in envelope.signatures if keyid not in known), "")
        if gone and not known & set(envelope.signatures):
            found.append(Attested(kind, gone, "", known=False))
        else:
            found.append(_require_signed(kind, envelope, keys))
    return tuple(found)


def verdict_of(bundle: bytes) -> str:
    """The SHA-256 of the verdict that the gate's statement names; nothing is verified here.

    Raises TrustError when there is none.
    """
    for number, line in enumerate(bundle.splitlines(), 1):
        source = f"attestation {number}"
        said = parse(read_envelope(line, PAYLOAD_TYPE, source).payload, Statement, source)
        found = said.predicate.get("verdict")
        if said.predicateType == PREDICATES["gate"] and isinstance(found, str):
            return found
    raise TrustError("the attestations name no verdict")


def _envelopes(bundle: bytes, judged: Judged) -> list[tuple[Kind, Envelope]]:
    """The envelope of each kind, whose statement is the one that these bytes lead to."""
    found: dict[str, tuple[Envelope, Statement]] = {}
    for number, line in enumerate(bundle.splitlines(), 1):
        source = f"attestation {number}"
        envelope = read_envelope(line, PAYLOAD_TYPE, source)
        said = parse(envelope.payload, Statement, source)
        if said.predicateType in found or said.predicateType not in PREDICATES.values():
            raise TrustError(f"{source} is one too many: {said.predicateType}")
        found[said.predicateType] = (envelope, said)
    name = f"{judged.release.name} {judged.release.version}"
    for kind in KINDS:
        if PREDICATES[kind] not in found:
            raise TrustError(
                f"nobody has signed for the {kind} of {name}; "
                "`edgefactory release attest --key KEY` does"
            )
        _, said = found[PREDICATES[kind]]
        if said != statement(kind, judged):
            raise TrustError(
                f"the attestation of {kind} is about other bytes than {name}: "
                f"{_difference(said, statement(kind, judged))}"
            )
    return [(kind, found[PREDICATES[kind]][0]) for kind in KINDS]


def _require_signed(kind: Kind, envelope: Envelope, keys: Sequence[Key]) -> Attested:
    for key in keys:
        signature = envelope.signatures.get(key.keyid)
        if signature is None:
            continue
        try:
            key.verify_signature(signature, envelope.pae())
        except UnverifiedSignatureError:
            raise TrustError(
                f"the attestation of {kind} is forged: the signature of {owner(key)} "
                f"({key.keyid[:12]}…) does not verify"
            ) from None
        return Attested(kind, key.keyid, owner(key))
    raise TrustError(f"the attestation of {kind} is not signed by a key that may sign releases")


def _difference(said: Statement, expected: Statement) -> str:
    if said.subject != expected.subject:
        return "its subject is another"
    ours, theirs = expected.predicate, said.predicate
    changed = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    return f"its {', '.join(changed)} is another"


def _training(lineage: Lineage) -> dict[str, object]:
    """SLSA provenance v1: from the snapshot, by the recipe, with the seed."""
    inputs = [_thing("snapshot", lineage.snapshot_sha256)]
    if lineage.teacher_sha256 is not None:
        inputs.append(_thing("teacher", lineage.teacher_sha256))
    if lineage.git_commit is not None:
        inputs.append(Thing("code", {"gitCommit": lineage.git_commit}))
    run = {} if lineage.mlflow_run is None else {"metadata": {"invocationId": lineage.mlflow_run}}
    return {
        "buildDefinition": {
            "buildType": TRAINING,
            "externalParameters": {"recipe": lineage.recipe, "seed": lineage.seed},
            "resolvedDependencies": msgspec.to_builtins(inputs),
        },
        "runDetails": {"builder": {"id": LINE}, **run},
    }


def _evaluation(release: Release) -> dict[str, object]:
    outcomes = release.outcomes
    decided = {} if isinstance(outcomes, UnsetType) else {"outcomes": outcomes.sha256}
    return {
        "checkpoint": release.lineage.checkpoint_sha256,
        "snapshot": release.lineage.snapshot_sha256,
        "evidence": release.evidence.sha256,
        **decided,
    }


def _gate(data: bytes) -> dict[str, object]:
    verdict = parse(data, Verdict, "the verdict")
    against = {} if verdict.against is UNSET else {"against": verdict.against}
    return {
        "verdict": digest(data),
        "policy": verdict.policy,
        "passed": verdict.passed,
        **against,
    }


def _thing(name: str, sha256: str) -> Thing:
    return Thing(name, {"sha256": sha256})
