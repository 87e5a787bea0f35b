"""Random streams: reproducible, independent of each other, with the distributions they name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from edgesim.simulate.arrivals import Poisson
from edgesim.simulate.streams import service_factors, stream
from tests.edgesim.simulate.models import Flops, cluster, node, plan, play, task


def test_a_stream_is_a_function_of_seed_replication_and_purpose() -> None:
    first = stream(7, 0, "arrivals").random(4).tolist()
    assert stream(7, 0, "arrivals").random(4).tolist() == first
    others = [stream(8, 0, "arrivals"), stream(7, 1, "arrivals"), stream(7, 0, "service A")]
    draws = {tuple(other.random(4).tolist()) for other in others}
    assert len(draws | {tuple(first)}) == 4


def test_another_node_leaves_the_draws_of_the_rest_unchanged() -> None:
    traffic = Poisson(requests=50, rate_per_s=1.0)
    what = plan([task("t", "A", 0.5)])
    alone = play(what, cluster([node("A", variability="exponential")]), traffic, seed=5)
    more = [node("B", variability="exponential"), node("A", variability="exponential")]
    assert play(what, cluster(more), traffic, seed=5).latency_s.tolist() == alone.latency_s.tolist()


@pytest.mark.parametrize(
    ("variability", "cv", "reference"),
    [
        ("exponential", 0.0, stats.expon()),
        ("lognormal", 0.5, stats.lognorm(s=np.log(1.25) ** 0.5, scale=1.25**-0.5)),
    ],
)
def test_service_factors_follow_their_distribution(
    variability: str, cv: float, reference: stats.rv_continuous
) -> None:
    draw = service_factors(node(variability=variability, cv=cv), 3, 0)
    assert draw is not None
    assert reference.mean() == pytest.approx(1.0, rel=1e-12)
    sample = [draw() for _ in range(20_000)]
    assert stats.kstest(sample, reference.cdf).pvalue > 1e-3


@dataclass(frozen=True, kw_only=True)
class Spread(Flops):
    spread: tuple[float, ...] = (1.0, 2.0, 5.0)


def whole(kind: str, generator: np.random.Generator, size: int) -> np.ndarray:
    """All factors from one call, by the formulas in the documentation."""
    if kind == "exponential":
        return generator.standard_exponential(size)
    if kind == "lognormal":
        return generator.lognormal(-np.log1p(0.25) / 2, np.log1p(0.25) ** 0.5, size)
    return np.interp(generator.random(size), [0.0, 0.5, 1.0], np.array([1.0, 2.0, 5.0]) / 2.5)


@pytest.mark.parametrize("kind", ["exponential", "lognormal", "measured"])
def test_blocks_give_the_numbers_of_one_call(kind: str) -> None:
    cv = 0.5 if kind == "lognormal" else None
    draw = service_factors(node(device=Spread(), variability=kind, cv=cv), 3, 1)
    assert draw is not None
    expected = whole(kind, stream(3, 1, "service A"), 20_000)
    assert [draw() for _ in range(20_000)] == expected.tolist()


@pytest.mark.parametrize(("variability", "cv"), [("none", 0.3), ("lognormal", 0.0)])
def test_no_variability_draws_nothing(variability: str, cv: float) -> None:
    assert service_factors(node(variability=variability, cv=cv), 3, 0) is None


def test_poisson_gaps_are_exponential() -> None:
    traffic = Poisson(requests=20_000, rate_per_s=4.0)
    recording = play(plan([task("t", "A", 0.0)]), cluster([node()]), traffic, trace_requests=0)
    gaps = np.diff(recording.arrival_s, prepend=0.0)
    assert stats.kstest(gaps, stats.expon(scale=0.25).cdf).pvalue > 1e-3
