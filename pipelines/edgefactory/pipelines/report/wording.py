"""Figures as people read them: sizes, times, ratios, digests. Pure."""

from __future__ import annotations

import math

from edgefactory.pipelines.report.schema import Interval

MINUS = "\N{MINUS SIGN}"


def significant(value: float, digits: int = 3) -> str:
    """`value` with so many significant digits, never in exponent form: 0.0127, 1.6, 312."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def size(length: int) -> str:
    """Bytes in decimal units: 225 kB, 12.9 MB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if length >= scale:
            return f"{significant(length / scale)} {unit}"
    return f"{length} B"


def count(number: float) -> str:
    """A large count: 83 M, 0.24 G as 240 M, 61,312 as 61.3 k."""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{significant(number / scale)} {unit}"
    return f"{number:g}"


def times(ratio: float) -> str:
    """How many times: 312×, 8.3×."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{significant(ratio, 2)}×"


def milliseconds(value: float) -> str:
    """A time in ms, seconds from a thousand up: 1.63 ms, 2.1 s."""
    return f"{significant(value)} ms" if value < 1000 else f"{significant(value / 1000, 2)} s"


def quality(value: float) -> str:
    """AP50 or accuracy in three decimals."""
    return f"{value:.3f}"


def interval(bounds: Interval) -> str:
    """A 95% interval: 0.81–0.87."""
    return f"{bounds[0]:.3f}–{bounds[1]:.3f}"


def short(sha256: str) -> str:
    """The first twelve digits of a digest."""
    return sha256[:12]


def seconds(value: float) -> str:
    """A duration: 0.4 s, 61 s, 3 min 5 s."""
    if value < 90:
        return f"{significant(value, 2)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def figure(value: float) -> str:
    """A figure that the gate found: a difference with its true minus sign, or a whole number."""
    text = f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", MINUS)


def tick(value: float) -> str:
    """A difference as short as it can be: +0.02, 0, −0.004."""
    return f"{value:+.3g}".replace("-", MINUS) if round(value, 4) else "0"


def required(text: str) -> str:
    """A gate's requirement with a true minus sign and no exponent: ap50_minus_fp32 ≥ −0.01."""
    limit = text.rpartition(" ")[2]
    try:
        value = float(limit)
    except ValueError:
        return text
    plain = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return text.removesuffix(limit) + plain.replace("-", MINUS)


def difference(value: float) -> str:
    """A difference in three decimals with its sign: +0.015, −0.004."""
    return f"{value:+.3f}".replace("-", MINUS)
