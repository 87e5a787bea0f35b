"""An arrival process: several requests at once, then a random gap."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgesim.common.fields import Count
from edgesim.common.validation import spec
from edgesim.simulate.arrivals import Paced


@spec
@dataclass(frozen=True, kw_only=True)
class Bursts(Paced):
    """Bursts, in a scenario {arrivals: bursts, rate: 10/s, burst: 5, requests: 1000}.

    The gaps between bursts are exponential, of mean burst/rate.

    Attributes:
        burst: number of requests that arrive at once.
    """

    arrivals: Literal["bursts"] = "bursts"
    burst: Count = 2

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return the ascending arrival times of all requests, in seconds."""
        bursts = -(-self.requests // self.burst)
        gaps_s = generator.exponential(self.burst / self.rate_per_s, bursts)
        return np.repeat(np.cumsum(gaps_s), self.burst)[: self.requests]
