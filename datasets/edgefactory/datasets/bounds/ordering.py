"""The order in which pictures are drawn for checking: random, fixed, and anybody can verify it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256


def calibration_order(ids: Iterable[str], seed: int) -> list[str]:
    """`ids` in the order of SHA-256("<seed>:<id>").

    The order depends on nothing but the seed and the pictures' bytes, so nobody can pick
    pictures that make a machine look good; the order among some of the pictures is the same
    whichever others are there. The first n of it are a random sample without replacement.
    """
    return sorted(ids, key=lambda item: (sha256(f"{seed}:{item}".encode()).digest(), item))
