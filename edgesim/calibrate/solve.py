"""Least squares within bounds: Levenberg and Marquardt's steps on the normal equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgesim.calibrate.rows import Array

Normal = Callable[[Array], tuple[float, Array, Array]]
"""Of a vector: the cost, half its gradient, and the Gauss-Newton matrix."""

_STEPS = 200
_SMALL_STEP, _SMALL_GAIN = 1e-5, 1e-7
_FIRST, _LOWER, _RAISE, _MOST = 1e-3, 0.2, 4.0, 1e8


def minimum(normal: Normal, start: Array, low: Array, high: Array) -> Array:
    """Return where a sum of squares is least, each unknown within its bounds.

    Each step solves (H + m diag(H)) s = -g for the unknowns that are not held at a bound, and is
    cut off at the bounds; m falls when a step helps and rises when it does not. It ends where a
    step or its gain is small. (Moré, The Levenberg-Marquardt algorithm, 1978; Bertsekas, Projected
    Newton methods, 1982.)

    Args:
        normal: what is minimised.
        start: vector to begin with, within the bounds.
        low: least value of each unknown.
        high: greatest value of each unknown.
    """
    at, damping = np.clip(start, low, high), _FIRST
    cost, gradient, matrix = normal(at)
    for _ in range(_STEPS):
        held = ((at <= low) & (gradient > 0.0)) | ((at >= high) & (gradient < 0.0))
        free = np.flatnonzero(~held)
        inner = matrix[np.ix_(free, free)]
        damped = inner + damping * np.diag(np.diag(inner))
        step = np.zeros_like(at)
        step[free] = -np.linalg.solve(damped, gradient[free])
        tried = np.clip(at + step, low, high)
        found = normal(tried)
        if found[0] < cost:
            small = np.abs(tried - at).max() < _SMALL_STEP or cost - found[0] < _SMALL_GAIN * cost
            at, (cost, gradient, matrix) = tried, found
            damping *= _LOWER
            if small:
                break
        else:
            damping *= _RAISE
            if damping > _MOST:
                break
    return at
