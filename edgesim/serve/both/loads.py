"""At which loads prediction and measurement are compared: shares of what the nodes can serve."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgesim.common import units
from edgesim.common.errors import InputError
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Paced, Periodic, Poisson, Trace

USUAL = "0.1,0.5,0.9"
"""Loads where none are asked for."""
AS_WRITTEN = "scenario"
"""What asks for the scenario's own traffic."""
_PACED = (Poisson, Periodic)
"""Arrival processes whose rate is free to choose."""


@dataclass(frozen=True, slots=True)
class Load:
    """One comparison.

    Attributes:
        share: of the capacity; None where the traffic is the scenario's own.
        scenario: with the traffic of this load.
    """

    share: float | None
    scenario: Scenario

    @property
    def traffic(self) -> Traffic:
        """Return what is asked."""
        return self.scenario.traffic

    @property
    def folder(self) -> str:
        """Return the name of its folder in the result."""
        return "as-written" if self.share is None else f"load-{self.share:g}"

    @property
    def duration_s(self) -> float | None:
        """Return for how long requests are sent; None where that depends on the answers."""
        traffic = self.traffic
        runs = self.scenario.replications
        if traffic.offered_per_s is not None:
            return runs * traffic.requests / traffic.offered_per_s
        return runs * traffic.times_s[-1] if isinstance(traffic, Trace) else None


def find_loads(text: str | None, scenario: Scenario, capacity_per_s: float) -> tuple[Load, ...]:
    """Return the loads that ``text`` asks for, each with the scenario's number of requests.

    Args:
        text: shares of the capacity and ``scenario``, with commas between; None for a tenth, half
            and nine tenths, or the scenario's own traffic where that has no rate to choose.
        scenario: from `edgesim.api.load`.
        capacity_per_s: requests per second that the nodes can serve, as predicted.

    Raises:
        InputError: the text says something else, or shares of traffic that has no such rate.
    """
    paced = type(scenario.traffic) in _PACED
    if text is None:
        text = USUAL if paced else AS_WRITTEN
    loads: dict[str, Load] = {}
    for word in text.split(","):
        share = None if word.strip() == AS_WRITTEN else _share(word.strip())
        if share is not None and not paced:
            raise InputError(
                f"--loads: shares of the capacity belong to poisson or periodic arrivals, and the "
                f"scenario's are {scenario.traffic.arrivals}; leave --loads out to play it as it is"
            )
        load = Load(share, scenario if share is None else _at(scenario, share * capacity_per_s))
        if load.folder in loads:
            raise InputError(f"--loads: '{word.strip()}' comes twice")
        loads[load.folder] = load
    return tuple(loads.values())


def _share(word: str) -> float:
    try:
        share = units.parse(word, "ratio")
    except ValueError:
        share = math.nan
    if not 0.0 < share < 1.0:
        raise InputError(
            f"--loads: expected shares of the capacity between 0 and 1, such as {USUAL}, or "
            f"'{AS_WRITTEN}' for the file's own rate, got '{word[:60]}'"
        )
    return share


def _at(scenario: Scenario, rate_per_s: float) -> Scenario:
    """Return a scenario at another rate, in its document too: that is kept, and runs again."""
    if not math.isfinite(rate_per_s):
        raise InputError(
            f"--loads: nothing bounds what the nodes can serve by prediction; use '{AS_WRITTEN}'"
        )
    assert isinstance(scenario.traffic, Paced)
    section = scenario.document["traffic"]
    assert isinstance(section, dict), "a scenario that was resolved"
    return replace(
        scenario,
        traffic=replace(scenario.traffic, rate_per_s=rate_per_s),
        document={**scenario.document, "traffic": {**section, "rate": rate_per_s}},
    )
