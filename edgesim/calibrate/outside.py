"""Published rows far outside what others say: how little they count in the fit."""

from __future__ import annotations

from math import log1p

ROW_SIGMA = 0.1
"""Standard deviation of the logarithm of a published time about the model's."""
ROW_TAIL = 3.0
"""Standard deviations at which a row counts half."""
_LITTLE = 0.25


def row_weight(error: float) -> float:
    """Return how much a row counts in the fit, 1 / (1 + r²/c²), from 0 to 1.

    Args:
        error: predicted over published time, less one.
    """
    return 1.0 / (1.0 + (log1p(error) / (ROW_SIGMA * ROW_TAIL)) ** 2)


def is_outside(error: float) -> bool:
    """Return whether a row counts less than a quarter: predicted 1.7 times too long or short."""
    return row_weight(error) < _LITTLE
