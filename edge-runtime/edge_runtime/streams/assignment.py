"""The cheapest pairing of rows with columns, in numpy."""

import numpy as np
import numpy.typing as npt


def assign(cost: npt.NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """The pairs (row, column) of least total cost, without pairs that cost more than `limit`.

    `cost` is [n,m] with any n and m, finite. The Hungarian method by shortest augmenting paths
    with potentials (Kuhn 1955; Jonker & Volgenant 1987): O(n²m). A pair over the limit is priced
    at the limit itself, so that it never displaces two pairs that are allowed.
    """
    if not cost.size:
        return []
    priced = np.minimum(cost, limit)
    if cost.shape[0] > cost.shape[1]:
        pairs = [(row, column) for column, row in _hungarian(priced.T)]
    else:
        pairs = _hungarian(priced)
    return sorted((r, c) for r, c in pairs if cost[r, c] < limit)


def _hungarian(cost: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Every row gets a column; needs no more rows than columns."""
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    owner = np.full(columns + 1, -1)  # which row holds a column; the last column is the root
    for row in range(rows):
        owner[columns] = row
        column = columns
        slack = np.full(columns, np.inf)
        came_from = np.full(columns, columns)
        done = np.zeros(columns + 1, bool)
        while owner[column] != -1:
            done[column] = True
            holder = owner[column]
            open_ = ~done[:columns]
            reduced = cost[holder] - row_price[holder] - column_price[:columns]
            better = open_ & (reduced < slack)
            slack[better], came_from[better] = reduced[better], column
            best = int(np.argmin(np.where(open_, slack, np.inf)))
            step = slack[best]
            row_price[owner[done]] += step
            column_price[done] -= step
            slack[open_] -= step
            column = best
        while column != columns:  # hand the columns along the path to their new rows
            previous = int(came_from[column])
            owner[column] = owner[previous]
            column = previous
    return [(int(owner[c]), c) for c in range(columns) if owner[c] != -1]
