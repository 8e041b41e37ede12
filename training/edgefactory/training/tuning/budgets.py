"""What a model may cost: budgets as people write them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, TypeVar, get_args

from msgspec import Meta, Struct

from edgefactory.datasets.errors import InputError

Quantity = Literal["latency_ms", "bytes", "macs", "parameters"]
TunedEngine = Literal["onnxruntime", "openvino"]
TunedPrecision = Literal["f32", "bf16", "int8"]

QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)
ENGINES: Final[tuple[TunedEngine, ...]] = get_args(TunedEngine)
PRECISIONS: Final[tuple[TunedPrecision, ...]] = get_args(TunedPrecision)

_OF_A_FORM: Final = ("latency_ms", "bytes")  # what depends on how the model is shipped
_UNITS: Final[Mapping[Quantity, Mapping[str, float]]] = {
    "latency_ms": {"": 1.0, "ms": 1.0},
    "bytes": {"": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20},
    "macs": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "parameters": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
}
_SHAPE: Final = re.compile(r"\s*(?P<name>[^<>=@]*?)\s*<=\s*(?P<value>[^@]*?)\s*(?:@(?P<form>.*))?")
_VALUE: Final = re.compile(
    r"(?P<number>[0-9][0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?)\s*(?P<unit>\w*)"
)


T = TypeVar("T", bound=str)


class Form(Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """How a model is shipped: the engine that runs it, and the precision that it computes in."""

    engine: TunedEngine
    precision: TunedPrecision

    def __str__(self) -> str:
        """As in a budget: "openvino:int8"."""
        return f"{self.engine}:{self.precision}"


PLAIN: Final = Form("onnxruntime", "f32")


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    """An upper limit of one quantity. `form` is None for what no form changes."""

    quantity: Quantity
    limit: Annotated[float, Meta(gt=0.0)]
    form: Form | None = None

    def __str__(self) -> str:
        """As it can be written: "latency_ms<=4@openvino:f32"."""
        limit = f"{self.limit:.0f}" if self.limit.is_integer() else repr(self.limit)
        return f"{self.quantity}<={limit}" + (f"@{self.form}" if self.form else "")


def parse_budgets(texts: Iterable[str]) -> tuple[Budget, ...]:
    """The budgets in texts as `latency_ms<=4@openvino:int8`, `bytes<=1MB`, `macs<=100M`.

    Without an engine, a latency is ONNX Runtime's; `bytes` holds for every form that another
    budget names, or for the plain ONNX file. Without a precision it is f32.
    Raises InputError that names what is allowed, or for a limit that is given twice.
    """
    read = [_parse(text) for text in texts]
    named = sorted({form for _, form in read if form is not None})
    found: dict[tuple[Quantity, Form | None], Budget] = {}
    for budget, form in read:
        whole = budget.quantity == "bytes" and form is None
        for own in named or [PLAIN] if whole else [form]:
            if (budget.quantity, own) in found:
                of = f" of {own}" if own else ""
                raise InputError(f"--budget limits {budget.quantity}{of} twice; give it once")
            found[budget.quantity, own] = Budget(budget.quantity, budget.limit, own)
    return tuple(found.values())


def parse_limits(texts: Iterable[str]) -> tuple[Budget, ...]:
    """The same of budgets that hold for whatever form is chosen: `latency_ms<=3`, `bytes<=1MB`.

    Raises InputError as `parse_budgets`, and for a budget that names an engine.
    """
    found: dict[Quantity, Budget] = {}
    for text in texts:
        if "@" in text:
            raise InputError(
                f"--budget {text!r}: engine and precision are what is to be chosen here; leave out "
                "what follows @, and name engines with --targets"
            )
        budget, _ = _parse(text)
        if budget.quantity == "parameters":
            raise InputError(f"--budget {text!r}: expected latency_ms, bytes or macs here")
        if budget.quantity in found:
            raise InputError(f"--budget limits {budget.quantity} twice; give it once")
        found[budget.quantity] = budget
    return tuple(found.values())


def _parse(text: str) -> tuple[Budget, Form | None]:
    """A budget as it was written, and the form that it names, or means in any case."""
    where = f"--budget {text!r}"
    parts = _SHAPE.fullmatch(text)
    if parts is None:
        raise InputError(f"{where}: expected QUANTITY<=LIMIT, as latency_ms<=4@openvino")
    quantity = _one_of(parts["name"], QUANTITIES, f"{where}: quantity")
    budget = Budget(quantity, _limit(parts["value"], quantity, where))
    if parts["form"] is None:
        return budget, PLAIN if quantity == "latency_ms" else None
    if quantity not in _OF_A_FORM:
        raise InputError(
            f"{where}: {quantity} are the same on every engine; leave out what follows @"
        )
    return budget, _form(parts["form"], where)


def _form(text: str, where: str) -> Form:
    engine, _, precision = text.strip().partition(":")
    form = Form(
        _one_of(engine, ENGINES, f"{where}: engine"),
        _one_of(precision or "f32", PRECISIONS, f"{where}: precision"),
    )
    if form.precision == "bf16" and form.engine != "openvino":
        raise InputError(f"{where}: {form.engine} computes in f32 or int8; bf16 is openvino's")
    return form


def _limit(text: str, quantity: Quantity, where: str) -> float:
    units = _UNITS[quantity]
    parts = _VALUE.fullmatch(text)
    unit = next((u for u in units if parts and u.lower() == parts["unit"].lower()), None)
    try:
        value = float(parts["number"]) * units[unit] if parts and unit is not None else 0.0
    except ValueError:  # underscores where none belong
        value = 0.0
    if not 0 < value < math.inf:
        known = ", ".join(u for u in units if u)
        raise InputError(
            f"{where}: the limit is {text!r}; expected a number above 0, with or without {known}"
        )
    return value


def _one_of(text: str, known: tuple[T, ...], what: str) -> T:
    for name in known:
        if name == text:
            return name
    near = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    raise InputError(f"{what} {text!r} is not known; {hint}")
