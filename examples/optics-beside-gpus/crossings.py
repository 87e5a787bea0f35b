"""The frame rate, or the link, from which an accelerator is as fast as another device."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from accelerators import Accelerator
from costs import per_image_s
from scipy.optimize import brentq

from edgesim.graph import Graph

RATES_HZ = (1.0, 1e10)
"""Frame rates between which is looked; lasers of crossbars are modulated at 5 GHz."""
_CLOSE = 1e-6


def crossing(time_s: Callable[[float], float], target_s: float, least: float, most: float) -> float:
    """Return the least value between two at which ``time_s`` of it is no more than ``target_s``.

    Args:
        time_s: of an image; never longer for a larger value.
        target_s: to reach.
        least: value, returned where already that is enough.
        most: value; infinity is returned where even that is not enough.

    Returns:
        the value to a millionth.

    Raises:
        ValueError: a target that is no positive number of seconds.
    """
    if not target_s > 0.0:
        raise ValueError(f"expected a target above 0 s, got {target_s}")
    if time_s(most) > target_s:
        return math.inf
    high = most
    # From above: few decades lie between what is asked and what is wanted.
    while high > least:
        low = max(high / 10.0, least)
        if time_s(low) > target_s:
            return _within(time_s, target_s, low, high)
        high = low
    return least


def _within(time_s: Callable[[float], float], target_s: float, low: float, high: float) -> float:
    if time_s(high) == target_s:
        return high
    found = brentq(
        lambda log: math.log(time_s(math.exp(log)) / target_s),
        math.log(low),
        math.log(high),
        xtol=_CLOSE / 2,
    )
    return math.exp(float(found))


@cache
def by_rate(
    accelerator: Accelerator, graph: Graph, batch: int, plane: int
) -> Callable[[float], float]:
    """Return seconds of an image as a function of the frame rate; what was asked is kept."""
    return cache(lambda rate_hz: per_image_s(accelerator.device(plane, rate_hz), graph, batch))


def best_rate_hz(
    accelerator: Accelerator, graph: Graph, batch: int, target_s: float, planes: tuple[int, ...]
) -> tuple[float, int]:
    """Return the least frame rate on any of the planes that reaches a time, and that plane."""
    return min(
        (crossing(by_rate(accelerator, graph, batch, plane), target_s, *RATES_HZ), plane)
        for plane in planes
    )
