"""Budgets as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.datasets.errors import InputError
from edgefactory.training.tuning.budgets import (
    ENGINES,
    PLAIN,
    QUANTITIES,
    Budget,
    Form,
    TunedPrecision,
    parse_budgets,
)

EVERYWHERE: tuple[TunedPrecision, ...] = ("f32", "int8")  # on every engine


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    quantity = draw(st.sampled_from(QUANTITIES))
    limit = draw(st.floats(1e-3, 1e12))
    engine = draw(st.sampled_from(ENGINES))
    precision = draw(st.sampled_from(EVERYWHERE))
    form = Form(engine, precision) if quantity in ("latency_ms", "bytes") else None
    return Budget(quantity, limit, form)


@given(budgets())
def test_a_budget_reads_as_it_is_written(budget: Budget) -> None:
    assert parse_budgets([str(budget)]) == (budget,)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("bytes<=1_000_000", 1e6),
        ("bytes <= 1MB", 1e6),
        ("bytes<=1.5 MiB", 1.5 * 2**20),
        ("bytes<=225kb", 225e3),
        ("macs<=71M", 71e6),
        ("parameters<=80k", 80e3),
        ("latency_ms<=4ms", 4.0),
    ],
)
def test_limits_may_have_units(text: str, limit: float) -> None:
    (budget,) = parse_budgets([text])
    assert budget.limit == pytest.approx(limit)


def test_a_latency_without_an_engine_is_onnx_runtimes() -> None:
    (budget,) = parse_budgets(["latency_ms<=4"])
    assert budget.form == PLAIN


def test_bytes_hold_for_every_form_that_is_named() -> None:
    found = parse_budgets(["latency_ms<=4@openvino:int8", "latency_ms<=9@openvino", "bytes<=1MB"])
    named = {b.form for b in found if b.quantity == "bytes"}
    assert named == {Form("openvino", "int8"), Form("openvino", "f32")}
    assert parse_budgets(["bytes<=1MB"])[0].form == PLAIN
    assert parse_budgets(["bytes<=1MB@openvino:int8"])[0].form == Form("openvino", "int8")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latency<=4", "did you mean 'latency_ms'"),
        ("flops<=4", "expected one of latency_ms, bytes, macs, parameters"),
        ("latency_ms<=4@openvin", "did you mean 'openvino'"),
        ("latency_ms<=4@openvino:int4", "did you mean 'int8'"),
        ("latency_ms<=4@onnxruntime:bf16", "bf16 is openvino's"),
        ("latency_ms=4", "expected QUANTITY<=LIMIT"),
        ("latency_ms<4", "expected QUANTITY<=LIMIT"),
        ("bytes<=1XB", "with or without B, kB, MB"),
        ("bytes<=-1", "expected a number above 0"),
        ("bytes<=0", "expected a number above 0"),
        ("bytes<=1__0", "expected a number above 0"),
        ("macs<=1M@openvino", "leave out what follows @"),
    ],
)
def test_what_is_no_budget_is_refused_and_named(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_budgets([text])


def test_a_limit_is_given_once() -> None:
    with pytest.raises(InputError, match="latency_ms of onnxruntime:f32 twice"):
        parse_budgets(["latency_ms<=4", "latency_ms<=3@onnxruntime"])
    with pytest.raises(InputError, match="limits bytes of openvino:f32 twice"):
        parse_budgets(["bytes<=1MB", "bytes<=2MB@openvino"])
