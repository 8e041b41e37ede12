"""ONNX Runtime's providers: where they may run a variant, how they are proven, never silently."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import engines, proof
from edge_runtime.contract import (
    Engine,
    FileRef,
    Outputs,
    Precision,
    Provider,
    Variant,
    decide,
    decode,
    digest,
)
from edge_runtime.engines import isolated, providers
from edge_runtime.engines.isolated import IsolatedSession, Source
from edge_runtime.engines.providers import NAMES, options, providers_here, ways
from edge_runtime.errors import MissingError, RefusedError
from edge_runtime.machine import host
from edge_runtime.state import State
from edge_runtime.store import Journal, Slot, load_journal
from edge_runtime.update import Wish, once

from .models import build, colour_onnx, scene, squares_onnx
from .publishing import Publisher

BOTH: Final[frozenset[Provider]] = frozenset({"openvino", "cuda"})
CARD: Final = ("cpu", "sm86")


def variant(*hardware: str, engine: Engine = "onnxruntime") -> Variant:
    """A variant of one file for `hardware`."""
    return Variant("model", engine, "f32", hardware, "m.onnx", {"m.onnx": FileRef("0" * 64, 1)})


@pytest.mark.parametrize(
    ("made_for", "box", "here", "expected"),
    [
        (("cpu",), ("cpu",), frozenset(), (None,)),
        (("cpu",), ("cpu",), BOTH, (None, "openvino")),
        (("cpu",), CARD, BOTH, (None, "openvino")),  # nobody signed for the card
        (CARD, ("cpu",), BOTH, (None, "openvino")),
        (CARD, CARD, BOTH, (None, "openvino", "cuda")),
        (CARD, CARD, frozenset(), (None,)),
        (("sm86",), CARD, BOTH, ("cuda",)),
        (("sm86",), CARD, frozenset({"openvino"}), ()),
        (("sm89",), CARD, BOTH, ()),
    ],
)
def test_a_provider_runs_only_what_was_signed_for_what_it_computes_on(
    made_for: tuple[str, ...],
    box: tuple[str, ...],
    here: frozenset[Provider],
    expected: tuple[Provider | None, ...],
) -> None:
    assert ways(variant(*made_for), box, here) == expected


def test_other_engines_have_no_providers() -> None:
    assert ways(variant("cpu", engine="openvino"), CARD, BOTH) == (None,)
    assert ways(variant("sm86", engine="tensorrt"), CARD, BOTH) == (None,)


def test_a_provider_is_told_its_precision() -> None:
    assert options("cuda", "f32", 1) == {"use_tf32": "0"}
    for precision, hint in (("f32", "f32"), ("int8", "f32"), ("bf16", "bf16")):
        told = options("openvino", precision, 3)  # type: ignore[arg-type]  # of the literals
        hints = json.loads(told["load_config"])["CPU"]
        assert (hints["INFERENCE_PRECISION_HINT"], hints["INFERENCE_NUM_THREADS"]) == (hint, "3")


def test_a_variant_for_a_card_says_which_wheel_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "providers_here", lambda: frozenset({"openvino"}))
    release = msgspec.structs.replace(build(1).release, variants=(variant("sm86"),))
    usable, refused = proof.candidates(release, CARD)
    assert not usable
    assert "pip install onnxruntime-gpu in its place" in refused["model"]


@pytest.mark.parametrize("provider", sorted(BOTH))
def test_a_provider_that_is_not_here_says_how_to_get_it(provider: Provider) -> None:
    if provider in providers_here():
        pytest.skip(f"this ONNX Runtime has the {provider} provider")
    with pytest.raises(MissingError, match=f"no {provider} provider here: pip install onnxr"):
        engines.load(variant("cpu"), {"m.onnx": squares_onnx()}, 1, provider)


@dataclass
class Part:
    """As ONNX Runtime tells who runs a part of a graph."""

    ep_name: str


@dataclass
class Pretended:
    """A session whose provider is pretended: the graph really runs on the CPU."""

    real: onnxruntime.InferenceSession
    loaded: list[str]
    runs: list[str]
    asked: list[Any] = field(default_factory=list)

    def get_providers(self) -> list[str]:
        return self.loaded

    def get_provider_graph_assignment_info(self) -> list[Part]:
        return [Part(name) for name in self.runs]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


Pretend = Callable[[list[str], list[str]], list[Any]]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let the OpenVINO provider be here: it loads, and runs parts of graphs, as is said."""
    monkeypatch.setattr(proof, "providers_here", lambda: frozenset({"openvino"}))
    monkeypatch.setattr("edge_runtime.engines.loading.providers_here", lambda: BOTH)
    real = onnxruntime.InferenceSession

    def install(loaded: list[str], runs: list[str]) -> list[Any]:
        asked: list[Any] = []

        def session(data: bytes, told: Any, providers: list[Any], **_: Any) -> Any:
            if len(providers) == 1:
                return real(data, told, providers=providers)
            asked.append(providers[0])
            return Pretended(real(data, told, providers=providers[1:]), loaded, runs)

        monkeypatch.setattr(
            "edge_runtime.engines.ort_provider.onnxruntime.InferenceSession", session
        )
        return asked

    return install


CPU: Final = "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("loaded", "runs", "says"),
    [
        ([CPU], [CPU], "does not load here"),
        ([NAMES["openvino"], CPU], [CPU], "leaves all of it to the CPU"),
    ],
)
def test_what_a_provider_does_not_run_is_refused_and_the_engine_itself_runs(
    state: State,
    publisher: Publisher,
    pretend: Pretend,
    loaded: list[str],
    runs: list[str],
    says: str,
) -> None:
    pretend(loaded, runs)
    publisher.publish(build(1))
    update = once(state, Wish("squares"), lambda *_: None)
    assert (update.outcome, update.provider) == ("activated", None)
    assert set(update.measured_ms) == {"onnx-fp32"}
    assert says in update.refused["onnx-fp32 by openvino"]
    assert "\n" not in update.refused["onnx-fp32 by openvino"]


def test_the_fastest_that_agrees_is_chosen_and_kept_in_the_journal(
    state: State, publisher: Publisher, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pretend([NAMES["openvino"], CPU], [NAMES["openvino"]])
    times = iter([2.0, 1.0])
    monkeypatch.setattr(proof, "measure", lambda *_: next(times))
    publisher.publish(build(1))
    update = once(state, Wish("squares"), lambda *_: None)
    assert update.measured_ms == {"onnx-fp32": 2.0, "onnx-fp32 by openvino": 1.0}
    assert (update.variant, update.provider) == ("onnx-fp32", "openvino")
    assert asked[0][0] == NAMES["openvino"]
    slot = load_journal(state.journal).of("squares").active
    assert slot is not None
    assert (slot.provider, slot.chosen) == ("openvino", "onnx-fp32 by openvino")
    assert once(state, Wish("squares"), lambda *_: None).outcome == "current"
    monkeypatch.setattr("edge_runtime.engines.loading.providers_here", frozenset[Provider])
    monkeypatch.setattr(proof, "providers_here", frozenset[Provider])
    monkeypatch.setattr(proof, "measure", lambda *_: 2.0)
    again = once(state, Wish("squares"), lambda *_: None)  # the wheel was taken away
    assert (again.outcome, again.provider) == ("activated", None)


def test_a_journal_of_before_there_were_providers_still_parses() -> None:
    before = b"""{"schema": "slots/1", "models": {"m": {"active": {"release": {"sha256":
        "%s", "bytes": 10}, "version": "1.0.0", "sequence": 1, "variant": "onnx-fp32",
        "engine": "onnxruntime", "since": 0.0, "ms": 1.0}}}}""" % (b"0" * 64)
    slot = decode(before, Journal, "the journal").of("m").active
    assert slot == Slot(FileRef("0" * 64, 10), "1.0.0", 1, "onnx-fp32", "onnxruntime", 0.0, 1.0)


def test_openvinos_provider_has_a_process_of_its_own(
    state: State, publisher: Publisher, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenVINO itself has: see `apart.IN_A_WORKER`."""
    from edge_runtime.hosting import load_active
    from edge_runtime.running import active

    pretend([NAMES["openvino"], CPU], [NAMES["openvino"]])
    times = iter([2.0, 1.0])
    monkeypatch.setattr(proof, "measure", lambda *_: next(times))
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    sources: list[Source] = []

    def apart(source: Source) -> Any:
        sources.append(source)
        return engines.load(source.variant, source.read(), source.threads)

    monkeypatch.setattr(isolated, "IsolatedSession", apart)
    load_active(state, active(state, "squares"), 1)
    assert [source.provider for source in sources] == ["openvino"]


needs_openvino = pytest.mark.skipif(
    "openvino" not in providers_here(), reason="needs onnxruntime-openvino in place of onnxruntime"
)
needs_cuda = pytest.mark.skipif(
    "cuda" not in providers_here(), reason="needs onnxruntime-gpu in place of onnxruntime"
)


def decided(outputs: Outputs) -> list[set[tuple[float, ...]]]:
    """The boxes in each of two pictures; what is below the threshold has no stated order."""
    return [set(decide("detection", outputs, number, 0.9).boxes) for number in range(2)]


PICTURES: Final = np.stack([scene((8, 8)), scene((20, 30), (44, 4))])


@pytest.mark.component
@needs_openvino
def test_openvinos_provider_decides_as_onnx_runtime_does_in_a_process_of_its_own() -> None:
    plain = engines.load(variant("cpu"), {"m.onnx": squares_onnx()}, 1).run(PICTURES)
    model = squares_onnx()
    files = {"m.onnx": FileRef(digest(model), len(model))}
    made = msgspec.structs.replace(variant("cpu"), files=files)
    source = Source(made, lambda: {"m.onnx": model}, provider="openvino")
    assert decided(IsolatedSession(source).run(PICTURES)) == decided(plain)


def convolution_onnx() -> bytes:
    """A convolution by random weights: its sums show in which precision they are made."""
    weights = np.random.default_rng(7).normal(size=(16, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["first"]),
        helper.make_node("Relu", ["first"], ["half"]),
        helper.make_node("GlobalAveragePool", ["half"], ["means"]),  # OpenVINO leaves small graphs
        helper.make_node("Flatten", ["means"], ["sums"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])]
    outputs = [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["N", 16])]
    initializers = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "convolution", inputs, outputs, initializers)
    opset = [helper.make_opsetid("", 13)]
    data: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return data


@pytest.mark.component
@needs_openvino
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_openvinos_provider_computes_in_the_precision_of_the_variant(precision: Precision) -> None:
    if precision == "bf16" and not {"avx512_bf16", "amx_bf16"} & set(host(()).flags):
        pytest.skip("this CPU has no bf16 instructions")
    files = {"m.onnx": convolution_onnx()}
    batch = np.random.default_rng(8).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    exact = engines.load(variant("cpu"), files, 1).run(batch)["sums"]
    stated = msgspec.structs.replace(variant("cpu"), precision=precision)
    found = engines.load(stated, files, 1, "openvino").run(batch)["sums"]
    assert np.allclose(exact, found, rtol=1e-4, atol=0.01) == (precision == "f32")


@pytest.mark.component
@needs_openvino
def test_a_graph_that_openvino_leaves_to_the_cpu_is_refused() -> None:
    with pytest.raises(RefusedError, match="leaves all of it to the CPU"):
        engines.load(variant("cpu"), {"m.onnx": colour_onnx()}, 1, "openvino")


@pytest.mark.component
@needs_cuda
def test_cudas_provider_runs_on_the_card_or_is_refused() -> None:
    plain = engines.load(variant("cpu"), {"m.onnx": squares_onnx()}, 1).run(PICTURES)
    if engines.cuda.capability() is None:
        with pytest.raises(RefusedError, match="does not load here"):
            engines.load(variant("sm86"), {"m.onnx": squares_onnx()}, 1, "cuda")
        return
    on_card = engines.load(variant("sm86"), {"m.onnx": squares_onnx()}, 1, "cuda").run(PICTURES)
    assert decided(on_card) == decided(plain)


def test_providers_here_are_those_that_onnx_runtime_was_built_with() -> None:
    built_with = set(onnxruntime.get_available_providers())
    assert {providers.NAMES[provider] for provider in providers_here()} == built_with & set(
        NAMES.values()
    )
