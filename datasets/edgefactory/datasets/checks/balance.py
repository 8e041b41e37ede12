"""Classes that are much rarer than the others, or that a split has none of."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from edgefactory.datasets.checks.table import SPLITS, Table

_RARE: Final = 0.25  # of the median class's labels
_Z: Final = 1.96
_EXPECTED: Final = 5  # labels that a split would have at an even share, for none to be odd


class Imbalance(NamedTuple):
    """A class that is short of labels, how much (0..1), and in words."""

    name: str
    score: float
    text: str


def find_imbalance(table: Table) -> list[Imbalance]:
    """One entry a class; a class is rare where that is not for chance in a small sample.

    It has less than a quarter of the median class's labels, and 95 of 100 samples of that size
    from a class with a quarter would have more (normal approximation of the Poisson law).
    """
    classes = table.header.classes
    counts = np.bincount(table.label_class, minlength=len(classes))
    split = table.split[table.label_item]
    middle = float(np.median(counts))
    found = []
    for index, name in enumerate(classes):
        count, limit = int(counts[index]), _RARE * middle
        share = count / max(len(split), 1)
        absent = [
            each
            for place, each in enumerate(SPLITS)
            if share * (split == place).sum() >= _EXPECTED
            and not ((table.label_class == index) & (split == place)).any()
        ]
        if count == 0:
            found.append(Imbalance(name, 1.0, f"no label at all of {name}"))
        elif len(classes) > 1 and count + _Z * np.sqrt(count) / 2 < limit:
            text = f"{count} labels of {name}; half of the classes have {middle:.0f} and more"
            found.append(Imbalance(name, 1 - count / max(middle, 1), text))
        elif absent:
            text = f"no label of {name} in {' and '.join(absent)}, {count} elsewhere"
            found.append(Imbalance(name, 0.5, text))
    return found
