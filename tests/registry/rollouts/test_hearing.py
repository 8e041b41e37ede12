"""Reports that are not what they say are refused, each by name."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_runtime.contract import Device, Report, encode
from edge_runtime.contract.sealing import public_hex, seal
from edgefactory.registry.rollouts.hearing import Hearing, Ledger, hear

NOW = 1_790_000_000
DAY = 86_400
KEYS = {f"s-{n}": Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in range(3)}
DEVICES = {
    site: Device("device/1", site, "", ("cpu",), public_hex(key)) for site, key in KEYS.items()
}
REPORT = Report(
    *("report/1", "s-0", 10, NOW, "m", ("cpu",), 1, "b" * 64, "b" * 64, None, {}, "active", "ok")
)


def report(site: str = "s-0", counter: int = 10, time: int = NOW, model: str = "m") -> Report:
    return msgspec.structs.replace(REPORT, site=site, counter=counter, time=time, model=model)


def signed(of: Report, by: str | None = None) -> bytes:
    return encode(seal(of, KEYS[by or of.site]))


def heard(*reports: bytes, ledger: Ledger | None = None) -> Hearing:
    found = [(f"file {n}", data) for n, data in enumerate(reports)]
    return hear(found, "m", DEVICES, ledger or Ledger(), (NOW - DAY, NOW))


def refused(*reports: bytes, ledger: Ledger | None = None) -> str:
    """Why the only report was refused; it is not heard, and the ledger forgets nothing."""
    found = heard(*reports, ledger=ledger)
    assert found.reports == {}
    assert found.ledger == (ledger or Ledger())
    (one,) = found.refused
    return f"{one.why}: {one.found}"


def test_the_newest_report_of_each_site_is_heard() -> None:
    found = heard(*(signed(report(s, c)) for s in KEYS for c in (9, 11, 10)))
    assert {site: r.counter for site, r in found.reports.items()} == dict.fromkeys(KEYS, 11)
    assert found.refused == ()
    assert heard(signed(report(counter=11)), ledger=found.ledger).refused == ()  # the same again


def test_a_report_on_another_model_is_not_heard_here() -> None:
    found = heard(signed(report(model="other")))
    assert (found.reports, found.refused) == ({}, ())


def test_a_forged_report_is_refused_and_does_not_hide_the_true_one() -> None:
    envelope = seal(report(counter=99), KEYS["s-0"])
    forged = msgspec.structs.replace(
        envelope, payload=envelope.payload.replace(b'"ok"', b'"failing"')
    )
    assert refused(encode(forged)).startswith("forged: the report is not signed by device key")
    found = heard(encode(forged), signed(report(counter=11)))
    assert found.reports["s-0"].counter == 11
    assert [r.why for r in found.refused] == ["forged"]


def test_a_report_signed_by_another_sites_device_is_refused() -> None:
    assert refused(signed(report("s-0"), by="s-1")) == (
        "foreign: site s-0 was enrolled with another device key"
    )


def test_a_stolen_key_id_does_not_help() -> None:
    envelope = seal(report("s-0"), KEYS["s-1"])
    (signature,) = envelope.signatures
    lie = msgspec.structs.replace(signature, keyid=DEVICES["s-0"].key)
    assert refused(encode(msgspec.structs.replace(envelope, signatures=(lie,)))).startswith(
        "forged"
    )


def test_a_report_of_a_foreign_site_is_refused() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes([9] * 32))
    data = encode(seal(report("stranger"), stranger))
    assert refused(data) == "foreign: site stranger is not enrolled here"


def test_a_replayed_report_is_refused_though_its_signature_is_good() -> None:
    ledger = heard(signed(report(counter=11))).ledger
    assert refused(signed(report(counter=10)), ledger=ledger) == (
        "replayed: number 10 of s-0, after 11 was heard"
    )


def test_a_number_is_used_once() -> None:
    ledger = heard(signed(report(counter=11))).ledger
    other = msgspec.structs.replace(report(counter=11), health="failing")
    assert refused(signed(other), ledger=ledger) == (
        "replayed: number 11 of s-0 was heard with other contents"
    )


@pytest.mark.parametrize(
    ("time", "says"),
    [(NOW - DAY - 1, "24.0 h old"), (0, "h old"), (NOW + 7200, "from 2.0 h ahead")],
)
def test_a_stale_report_is_refused(time: int, says: str) -> None:
    why = refused(signed(report(time=time)))
    assert why.startswith("stale: of s-0")
    assert says in why


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        encode(REPORT),
        signed(REPORT).replace(b"vnd.edgefactory.report", b"vnd.edgefactory.other"),
        signed(REPORT).replace(b'"payload": "', b'"payload": "!'),
        signed(REPORT).replace(b'"signatures": [', b'"signatures": [], "x": ['),
        b" " * 70_000 + signed(REPORT),
    ],
)
def test_what_is_no_signed_report_is_refused(data: bytes) -> None:
    assert refused(data).startswith("malformed")


def test_a_report_is_not_taken_for_another_kind_of_signed_thing() -> None:
    """The signature covers the payload's type: bytes signed as such do not verify as a report."""
    envelope = seal(REPORT, KEYS["s-0"])
    (signature,) = envelope.signatures
    plain = msgspec.structs.replace(signature, sig=KEYS["s-0"].sign(envelope.payload))
    changed = msgspec.structs.replace(envelope, signatures=(plain,))
    assert refused(encode(changed)).startswith("forged")
