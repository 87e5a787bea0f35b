"""The Pareto front: what nothing else beats in every way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def non_dominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of ``costs`` no other row dominates.

    A row dominates another that it exceeds in no column and is below in at least one. Equal rows
    dominate each other not, so all of them stay.

    Args:
        costs: of shape (rows, objectives), finite; less is better.

    Returns:
        Shape (rows,).
    """
    order = np.lexsort(costs.T[::-1])
    kept = np.zeros(len(costs), bool)
    front = np.empty((0, costs.shape[1]))
    # In lexicographic order only an earlier row can dominate a later one.
    for index in order:
        row = costs[index]
        beaten = (front <= row).all(axis=1) & (front < row).any(axis=1)
        if not beaten.any():
            kept[index] = True
            front = np.vstack([front, row])
    return kept
