"""Statistics of latencies: percentiles, batch-means intervals, and whether a queue settled.

Intervals are by batch means (Law, Simulation Modeling and Analysis, chapter 9): the series is cut
into consecutive batches, the statistic is taken of each, and Student's t over the batches gives the
width of the interval around the statistic of the whole series. Latencies of neighbouring requests
are correlated; those of long batches hardly are. There are as many batches as hold at least ten
requests beyond the percentile each, at most 20: more gain little (Schmeiser, Operations Research
30:556, 1982). Where fewer than five would, there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
BATCHES = 20
LEAST_BATCHES = 5
_LEAST_BEYOND = 10

# Student's t, two-sided 95 %, for 1 to 30 degrees of freedom; beyond, see `t95`.
_T95 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
_Z95 = 1.959964


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


def t95(degrees: int) -> float:
    """Return the two-sided 95 % quantile of Student's t.

    Beyond 30 degrees of freedom by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5),
    good to 1e-6 there; scipy would take half a second to import.
    """
    if degrees <= len(_T95):
        return _T95[degrees - 1]
    z = _Z95
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def interval(estimates: Sequence[float] | Values) -> Interval | None:
    """Return the 95 % interval of the mean of independent estimates; None for fewer than two."""
    values = np.asarray(estimates, dtype=np.float64)
    if len(values) < 2:
        return None
    half = t95(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    mean = float(values.mean())
    return Interval(mean - half, mean + half)


def batch_means(
    values: Values, statistic: Callable[[Values], float], beyond: float = 1.0
) -> Interval | None:
    """Return the batch-means interval of a statistic of a stationary series.

    Args:
        values: series in order of time, shape (values,).
        statistic: function of a series or a batch of it.
        beyond: share of the values that determines the statistic: of a percentile, what lies
            above it.

    Returns:
        None where fewer than five batches would hold ten determining values each.
    """
    batches = batch_count(len(values), beyond)
    if batches < LEAST_BATCHES:
        return None
    size = len(values) // batches
    # What does not fill a batch is left out at the beginning, where a start-up is.
    rows = values[len(values) - size * batches :].reshape(batches, size)
    around = interval([statistic(row) for row in rows])
    assert around is not None
    half = (around.high - around.low) / 2
    centre = statistic(values)
    return Interval(centre - half, centre + half)


def batch_count(length: int, beyond: float = 1.0) -> int:
    """Return into how many batches a series of ``length`` values may be cut."""
    return min(BATCHES, math.floor(length * beyond / _LEAST_BEYOND + 1e-9))


def percentile(values: Values, share: float) -> float:
    """Return the smallest value that at least ``share`` of all do not exceed."""
    rank = max(1, math.ceil(share * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


def latency_summary(values: Values) -> dict[str, float | None]:
    """Return mean, percentiles and maximum; None each where there is no value."""
    names = ("mean", *PERCENTILES, "max")
    if not len(values):
        return dict.fromkeys(names)
    ordered = np.sort(values)
    found: dict[str, float | None] = {"mean": float(values.mean())}
    for name, share in PERCENTILES.items():
        found[name] = float(ordered[max(1, math.ceil(share * len(values) - 1e-9)) - 1])
    found["max"] = float(ordered[-1])
    return found


def latency_intervals(runs: Sequence[Values]) -> dict[str, Interval | None]:
    """Return 95 % intervals of the mean and of every percentile.

    One run: by batch means. Several independent ones: over the runs.
    """
    statistics: dict[str, Callable[[Values], float]] = {"mean": lambda values: float(values.mean())}
    for name, share in PERCENTILES.items():
        statistics[name] = lambda values, share=share: percentile(values, share)  # type: ignore[misc]
    found: dict[str, Interval | None] = {}
    for name, statistic in statistics.items():
        beyond = 1.0 - PERCENTILES.get(name, 0.0)
        if len(runs) > 1:
            enough = all(len(run) * beyond >= 1 for run in runs)
            found[name] = interval([statistic(run) for run in runs]) if enough else None
        else:
            found[name] = batch_means(runs[0], statistic, beyond)
    return found


def requests_for_interval(name: str, runs: int = 1) -> int:
    """Return how many answered requests each of ``runs`` needs for an interval of a statistic."""
    beyond = 1.0 - PERCENTILES.get(name, 0.0)
    needed = 1 if runs > 1 else LEAST_BATCHES * _LEAST_BEYOND
    return math.ceil(needed / beyond - 1e-9)


def settled(values: Values) -> bool:
    """Return whether latencies, in order of arrival, show no queue that grows without bound.

    The series is cut into 20 batches; it did not settle where both hold:

    - The batches' means rise: their Mann-Kendall score (Mann, Econometrica 13:245, 1945) is above
      4.5. Independent batches exceed 3.09 in 0.1 % of cases; those of a loaded queue are
      correlated.
    - The queue does not return to where it was: no request of the last third takes as little more
      than the shortest latency of all as a mean request of the middle third does. A stable queue
      empties again and again; one that grows at a constant rate fulfils this at 2/3 over 1/2.

    Of M/M/1 runs that start empty, of 200 to 20,000 requests, it rejects at most 4 % at load 0.9;
    at load 1.05 it finds 40 % of those of 1,000 requests, 75 % of 5,000 and 99 % of 20,000.
    """
    size = len(values) // BATCHES
    if size < _LEAST_BEYOND:
        return True
    waits = values[len(values) - size * BATCHES :] - float(values.min())
    if float(waits.max()) <= 1e-9 * float(values.max()):
        return True  # differences are rounding
    rows = waits.reshape(BATCHES, size)
    means = rows.mean(axis=1)
    pairs = np.sign(means[None, :] - means[:, None])
    score = float(np.triu(pairs, 1).sum())
    variance = BATCHES * (BATCHES - 1) * (2 * BATCHES + 5) / 18
    third = BATCHES // 3
    stays = float(rows[-third:].min()) > float(means[third : 2 * third].mean())
    return not (score / math.sqrt(variance) > 4.5 and stays)
