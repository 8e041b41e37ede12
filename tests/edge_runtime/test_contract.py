"""Released formats live for years: each golden document must keep parsing, and mean the same."""

from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from edge_runtime import contract
from edge_runtime.contract import (
    BenchResult,
    Block,
    Device,
    Event,
    EvidenceBook,
    LineCrossed,
    Patches,
    Reference,
    Release,
    Report,
    Rollout,
    RunReport,
    SignedReport,
    SignedTelemetry,
    Sketch,
    Telemetry,
    TensorrtAttestation,
    TensorrtBuild,
    Together,
    VariantSet,
    VoucherRead,
    decode,
    digest,
    encode,
    read,
    schema_of,
)
from edge_runtime.contract.sealing import peek, peek_telemetry, verify
from edge_runtime.errors import ContractError, MissingError, TrustError

FIXTURES = Path(__file__).parent / "fixtures"
DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "bench-1": BenchResult,
    "block-1": Block,
    "device-1": Device,
    "evidence-1": EvidenceBook,
    "patches-1": Patches,
    "reference-1": Reference,
    "reference-1-together": Reference,
    "release-1": Release,
    "release-1-bom": Release,
    "release-1-reference": Release,
    "report-1": Report,
    "rollout-1": Rollout,
    "run-1": RunReport,
    "run-1-watch": RunReport,
    "signed-report-1": SignedReport,
    "signed-telemetry-1": SignedTelemetry,
    "telemetry-1": Telemetry,
    "telemetry-1-cameras": Telemetry,
    "tensorrt-attestation-1": TensorrtAttestation,
    "tensorrt-build-1": TensorrtBuild,
    "variants-1": VariantSet,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_golden_documents_parse_and_are_written_the_same(name: str) -> None:
    path = FIXTURES / f"{name}.json"
    assert encode(read(path, DOCUMENTS[name])) == path.read_bytes()


def test_golden_release_means_what_it_meant() -> None:
    release = read(FIXTURES / "release-1.json", Release)
    rollout = read(FIXTURES / "rollout-1-without-waves.json", Rollout)
    assert rollout.release == digest((FIXTURES / "release-1.json").read_bytes())
    assert (release.name, release.sequence, release.task) == ("cctv", 1, "detection")
    assert release.variant("tensorrt-rtx-int8").hardware == ("sm75", "sm86")
    assert {ref.sha256[0] for ref in release.files().values()} == set("123459a")
    with pytest.raises(KeyError):
        release.variant("onnx-fp32")


def test_golden_block_list_means_what_it_meant() -> None:
    block = read(FIXTURES / "block-1.json", Block)
    assert block.against(7, "1" * 64) == "blocked: counts shadows as people"
    assert block.against(4, "2" * 64) == "below the minimum sequence 5: a key was stolen"
    assert block.against(5, "2" * 64) == ""


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (b'"block/1"', b'"block/2"'),
        (b'"counts shadows as people"', b'""'),
        (b'"counts shadows as people"', rb'"two\nlines"'),
        (b"1" * 64, b"1" * 63),
        (b'"minimum": 5', b'"minimum": -1'),
        (b'"cctv"', b'"../cctv"'),
    ],
)
def test_a_block_list_outside_its_bounds_is_refused(found: bytes, wrong: bytes) -> None:
    data = (FIXTURES / "block-1.json").read_bytes()
    assert found in data
    with pytest.raises(ContractError, match="block-1 is not a valid Block"):
        decode(data.replace(found, wrong, 1), Block, "block-1")


def test_a_rollout_of_before_there_were_waves_means_what_it_meant() -> None:
    rollout = read(FIXTURES / "rollout-1-without-waves.json", Rollout)
    assert (rollout.bound, rollout.floor, rollout.sites) == (819, 1, ("branch-0001",))
    assert (rollout.edition, rollout.paused, rollout.withdrawn, rollout.base) == (0, False, 0, None)


def test_the_golden_report_is_signed_by_the_golden_device() -> None:
    """What is signed is part of the format: other bytes under the same key must not verify."""
    signed = read(FIXTURES / "signed-report-1.json", SignedReport)
    device = read(FIXTURES / "device-1.json", Device)
    verify(signed, device.key)
    assert peek(signed) == read(FIXTURES / "report-1.json", Report)
    changed = msgspec.structs.replace(signed, payload=signed.payload.replace(b"failed", b"active"))
    with pytest.raises(TrustError, match="not signed by device key"):
        verify(changed, device.key)


def test_the_golden_telemetry_is_signed_by_its_key_and_is_no_report() -> None:
    signed = read(FIXTURES / "signed-telemetry-1.json", SignedTelemetry)
    key = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    verify(signed, key)
    assert peek_telemetry(signed) == read(FIXTURES / "telemetry-1.json", Telemetry)
    as_report = SignedReport(
        "application/vnd.edgefactory.report+json", signed.payload, signed.signatures
    )
    with pytest.raises(TrustError):
        verify(as_report, key)


def test_a_release_of_before_has_no_reference_and_one_with_it_fetches_no_more() -> None:
    before = read(FIXTURES / "release-1-bom.json", Release)
    release = read(FIXTURES / "release-1-reference.json", Release)
    assert before.reference is msgspec.UNSET
    assert release.reference == read(FIXTURES / "reference-1.json", Reference)
    assert release.files() == before.files()


def test_a_reference_of_before_says_nothing_of_how_figures_go_together() -> None:
    before = read(FIXTURES / "reference-1.json", Reference).said["onnx-int8"]
    now = read(FIXTURES / "reference-1-together.json", Reference).said["onnx-int8"]
    assert before.together is msgspec.UNSET
    assert isinstance(now.together, Together)
    assert now.together.means[3] == 0.5833  # brightness and score
    assert msgspec.structs.replace(now, together=msgspec.UNSET) == before


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (b"0.5833,", b""),
        (b'"degrees": 11.25', b'"degrees": 0.0'),
        (b'"spread": 6.5', b'"spread": -1.0'),
    ],
)
def test_how_figures_go_together_is_checked(found: bytes, wrong: bytes) -> None:
    data = (FIXTURES / "reference-1-together.json").read_bytes()
    assert found in data
    with pytest.raises(ContractError, match="not a valid Reference"):
        decode(data.replace(found, wrong, 1), Reference, "reference")


@pytest.mark.parametrize(
    ("edges", "counts", "worth"),
    [
        ((1.0, 1.0), (1, 1, 1), 1.0),
        ((2.0, 1.0), (1, 1, 1), 1.0),
        ((1.0,), (1, 1, 1), 1.0),
        ((1.0,), (0, 0), 1.0),
        ((1.0,), (1, 1), 3.0),
        ((float("nan"),), (1, 1), 1.0),
    ],
)
def test_a_sketch_that_is_none_is_refused(
    edges: tuple[float, ...], counts: tuple[int, ...], worth: float
) -> None:
    with pytest.raises(ValueError, match=r"edges|worth"):
        Sketch(edges, counts, worth)


def test_a_release_with_page_and_bom_names_them_among_its_files() -> None:
    before = read(FIXTURES / "release-1.json", Release)
    release = read(FIXTURES / "release-1-bom.json", Release)
    assert (before.page, before.bom) == (msgspec.UNSET, msgspec.UNSET)
    assert release.files().keys() - before.files().keys() == {"b" * 64, "c" * 64}


def test_golden_events_parse() -> None:
    lines = (FIXTURES / "events-1.jsonl").read_bytes().splitlines()
    crossed, voucher = (msgspec.json.decode(line, type=Event) for line in lines)
    assert isinstance(crossed, LineCrossed)
    assert isinstance(voucher, VoucherRead)
    assert (crossed.direction, voucher.digits) == ("in", "123456")
    timed = (FIXTURES / "events-1-time.jsonl").read_bytes().strip()
    event = msgspec.json.decode(timed, type=Event)
    assert event == msgspec.structs.replace(crossed, time=1790000000.25)
    assert msgspec.json.encode(event) == timed


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_unknown_key_is_refused_and_named(name: str) -> None:
    data = (FIXTURES / f"{name}.json").read_bytes().replace(b"{", b'{"surprise": 1,', 1)
    with pytest.raises(ContractError, match="surprise"):
        decode(data, DOCUMENTS[name], name)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (b'"release/1"', b'"release/2"'),
        (b'"sequence": 1', b'"sequence": -1'),
        (b'"score_threshold": 0.42', b'"score_threshold": 1.5'),
        (b'"cctv"', b'"../cctv"'),
        (b'"1.0.0"', b'"1.0"'),
        (b'"width": 384', b'"width": 0'),
        (b'"onnxruntime"', b'"someruntime"'),
        (b"1" * 64, b"1" * 63),
    ],
)
def test_a_release_outside_its_bounds_is_refused(found: bytes, wrong: bytes) -> None:
    data = (FIXTURES / "release-1.json").read_bytes()
    assert found in data
    with pytest.raises(ContractError, match="release-1 is not a valid Release"):
        decode(data.replace(found, wrong, 1), Release, "release-1")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(ContractError):
        decode(data, Rollout, "rollout")


def test_a_document_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="expected a Release document"):
        read(tmp_path / "release.json", Release)


def test_every_document_has_a_schema() -> None:
    for kind in DOCUMENTS.values():
        assert "$defs" in schema_of(kind)


def test_every_name_of_the_contract_is_there_and_is_what_its_module_has() -> None:
    for name in contract.__all__:
        assert not isinstance(getattr(contract, name), ModuleType), name
    with pytest.raises(AttributeError, match="has no attribute 'Verdicts'"):
        _ = contract.Verdicts  # type: ignore[attr-defined]  # that is what is tested
