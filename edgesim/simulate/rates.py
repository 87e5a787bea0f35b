"""Rates that change: what a rate may be, and when the n-th request comes by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Discriminator, Field, Tag

from edgesim.common.fields import Text
from edgesim.common.quantities import PositiveSeconds, Quantity, Rate
from edgesim.common.validation import ReadAs, spec


@spec
@dataclass(frozen=True, kw_only=True)
class Step:
    """A rate until a time.

    Attributes:
        rate_per_s: mean rate of arrivals, in requests per second; 0 where none arrives.
        until_s: end of the step, in seconds from the start of the run; the last step has no end
            without it.
    """

    rate_per_s: Annotated[float, Quantity("rate")]
    until_s: PositiveSeconds | None = None


@spec
@dataclass(frozen=True, kw_only=True)
class Rates:
    """A rate that changes in steps.

    Attributes:
        steps: rates in order of time, each until the next one begins.
        file: path of a CSV file of steps, with columns `rate` and `until`; relative to this file.
        repeat: whether the steps begin again after the last, as days do.
    """

    steps: Annotated[tuple[Step, ...], Field(min_length=1)] = ()
    file: Text | None = None
    repeat: bool = False

    @property
    def peak_per_s(self) -> float:
        """Highest rate, in requests per second."""
        return max(step.rate_per_s for step in self.steps)

    @cached_property
    def _edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Start of each step and of what follows, requests until then, and rate of each step."""
        rates = np.array([step.rate_per_s for step in self.steps])
        ends = [inf if step.until_s is None else step.until_s for step in self.steps]
        starts = np.array([0.0, *ends])
        # Without a rate, no request comes however long it takes.
        lengths = np.where(rates > 0.0, np.diff(starts), 0.0)
        return starts, np.concatenate(([0.0], np.cumsum(rates * lengths))), rates

    @property
    def expected(self) -> float:
        """Requests that come on average until the steps end; infinity where they do not."""
        return inf if self.repeat else float(self._edges[1][-1])

    def times(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when so many requests have come on average, in seconds.

        It is the time t at which the integral of the rate from 0 reaches a count; where it stays
        there for a while, as the rate is 0, the end of that while. A process of unit rate at these
        times is one of this rate (Lewis and Shedler, Naval Research Logistics 26:403, 1979). After
        the end of the steps, the last rate above 0 goes on.

        Args:
            counts: ascending numbers of requests, shape (requests,).
        """
        starts, until, rates = self._edges
        rounds = np.floor(counts / until[-1]) if self.repeat else np.zeros_like(counts)
        left = counts - rounds * until[-1] if self.repeat else counts
        last = int(np.flatnonzero(rates)[-1])
        step = np.minimum(np.searchsorted(until, left, side="right") - 1, last)
        ends = starts[step] + (left - until[step]) / rates[step]
        return ends + rounds * starts[-1] if self.repeat else ends

    def mean_per_s(self, requests: int) -> float:
        """Return the mean rate until so many requests have come, in requests per second."""
        if self.repeat:
            return float(self._edges[1][-1] / self._edges[0][-1])
        return float(requests / self.times(np.array([float(requests)]))[0])


def _checked(rates: Rates) -> Rates:
    """Return rates whose steps make sense together.

    Raises:
        ValueError: they do not.
    """
    steps = rates.steps
    if not steps:
        raise ValueError("expected 'steps', as in [{rate: 1/s, until: 60 s}, {rate: 10/s}]")
    for index, (one, following) in enumerate(pairwise(steps), start=1):
        if one.until_s is None:
            raise ValueError(f"step {index} needs 'until': only the last may go on for ever")
        if following.until_s is not None and following.until_s <= one.until_s:
            raise ValueError(
                f"expected ascending 'until', got {following.until_s:g} s after {one.until_s:g} s"
            )
    if not rates.peak_per_s:
        raise ValueError("expected a step with a rate above 0, got none")
    if rates.repeat and steps[-1].until_s is None:
        raise ValueError("the last step needs 'until' where steps repeat")
    return rates


def _form(value: object) -> str:
    if isinstance(value, list | tuple):
        return "kinds"
    return "inline" if isinstance(value, dict | Rates) else "named"


_STEPS = Annotated[
    tuple[Step, ...],
    Field(min_length=1),
    AfterValidator(lambda steps: _checked(Rates(steps=steps))),
    Tag("kinds"),
]
RateOrSteps = Annotated[
    float | Rates,
    ReadAs(
        Annotated[
            Annotated[Rate, Tag("named")]
            | _STEPS
            | Annotated[Rates, AfterValidator(_checked), Tag("inline")],
            Discriminator(_form),
        ],
        example="0.5/s",
    ),
]
"""A rate, in requests per second: one, or steps of it."""
