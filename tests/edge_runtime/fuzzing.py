"""What the runtime reads from outside, damaged in every way: targets, their real documents, and
how these are changed.

A case is `(target, number)` and always the same: its bytes follow from the number alone. A target
takes what it is given or raises an EdgeRuntimeError of one line; anything else is a crash.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import EdgeRuntimeError

LONGEST_LINE = 4000  # characters
NUMBERS: tuple[Any, ...] = (0, -1, 1, 255, 2**31, 2**53 + 1, 2**63, -(2**63), 2**64, 1e308, -1e-320)
VALUES: tuple[Any, ...] = (*NUMBERS, None, True, "", "\0", "\n", "../x", "a" * 999, [], {}, [[]])
BYTES = (b"\0", b"\xff", b"\n", b'"', b"{", b"[", b"9" * 400, b"[" * 2000, b"\\ud800", b"1e999")


@dataclass(frozen=True)
class Target:
    """`attempt` is given which of the `corpus` was changed, and what it was changed to; `close`
    ends what the target has started."""

    name: str
    corpus: Sequence[bytes]
    attempt: Callable[[int, bytes], object]
    close: Callable[[], None] = lambda: None


def case(target: Target, number: int) -> tuple[int, bytes]:
    """The case with that number: which document, and what becomes of it."""
    rng = random.Random(f"{target.name} {number}")
    index = rng.randrange(len(target.corpus))
    data = target.corpus[index]
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = _change(rng, data, target.corpus)
    return index, data


def problem(target: Target, number: int) -> str:
    """What is wrong with how `target` bears a case; empty when nothing is."""
    index, data = case(target, number)
    try:
        target.attempt(index, data)
    except EdgeRuntimeError as error:
        text = str(error)
        if "\n" in text or len(text) > LONGEST_LINE or not text:
            return f"{type(error).__name__} is no line: {text[:200]!r}"
    except Exception as error:  # noqa: BLE001 - whatever else comes is what is looked for
        return f"{type(error).__name__}: {error}"[:500]
    return ""


def _change(rng: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    kinds = [_bit, _cut, _twice, _put, _splice]
    if data[:1] in {b"{", b"["}:
        kinds += [_document] * 5
    return rng.choice(kinds)(rng, data, corpus)


def _bit(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data or b"\0")
    for _number in range(rng.choice((1, 1, 1, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 8, 64, len(data))))


def _cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _twice(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:]


def _put(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.choice(BYTES) + data[rng.choice((start, end)) :]


def _splice(rng: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = rng.choice(corpus)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _document(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Another value, a key more or less, somewhere in a JSON document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places = _places(document)
    if not places:
        return data
    holder, key = rng.choice(places)
    kind = rng.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(("", "x\ny", "schema", "_type"))] = holder[key]
    elif kind == 2:
        other, place = rng.choice(places)
        holder[key] = other[place] if place in other or isinstance(other, list) else None
    else:
        holder[key] = rng.choice(VALUES)
    try:
        return json.dumps(document).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # it holds itself now
        return data


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    left = [document]
    while left:
        holder = left.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                left.append(holder[key])
    return found


def write_problem(file: Path, target: str, number: int, text: str) -> None:
    """Add a line to `file`."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"target": target, "case": number, "problem": text}) + "\n")
