"""Confidence interval of an accuracy, and test of a difference on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence

DEVIATIONS = 1.959964
"""Standard deviations of the normal distribution that hold 95 %."""


def wilson(right: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22:209, 1927).

    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n).
    """
    share, z = right / images, DEVIATIONS
    middle = share + z**2 / (2 * images)
    half = z * math.sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    whole = 1 + z**2 / images
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def changed(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int]:
    """Return the numbers of images whose answer became wrong, and became right."""
    lost = sum(was and not now for was, now in zip(before, after, strict=True))
    won = sum(now and not was for was, now in zip(before, after, strict=True))
    return lost, won


def differs(lost: int, won: int) -> bool:
    """Return whether a change is more than chance at 95 % (McNemar, Psychometrika 12:153, 1947).

    Of images that change, as many win as lose in the mean: |lost - won| > z √(lost + won).
    """
    return abs(lost - won) > DEVIATIONS * math.sqrt(lost + won)
