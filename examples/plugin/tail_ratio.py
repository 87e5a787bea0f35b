"""A metric: how far the slowest requests are from the usual one."""

from edgesim.results.metrics import Metric
from edgesim.results.run import Run


def ratio(run: Run) -> float | None:
    """Return the 99th percentile of latency over the median; None without an answer."""
    slow, usual = run.latency_s["p99"], run.latency_s["p50"]
    return slow / usual if slow is not None and usual else None


TAIL_RATIO = Metric(
    "tail_ratio",
    unit="",
    meaning="99th percentile of latency over the median.",
    count=ratio,
    null="no request was answered",
    heading="tail / median",
    places=("console",),
)
