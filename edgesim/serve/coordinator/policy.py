"""How patient the coordinator is with nodes."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of one run.

    Attributes:
        deadline_s: that one part, or the fusion, has to answer, all tries together.
        tries: of one part.
        first_pause_s: before the second try, at most; twice as long before each further one.
        longest_pause_s: between two tries, at most.
        timeout_s: of one try; None where only the deadline ends it.
        degrade: whether a request is answered without parts that did not.
        hedge_after_s: after which a part that has not answered is asked a second time, over a
            connection of its own; the first answer counts. None for never.
        health_interval_s: between checks of a node; each has so long to answer.
        strikes: failures in a row that take a node out.
        patience_s: for all nodes to be ready before the run.
    """

    deadline_s: float = 5.0
    tries: int = 3
    timeout_s: float | None = None
    degrade: bool = True
    first_pause_s: float = 0.02
    longest_pause_s: float = 0.5
    hedge_after_s: float | None = None
    health_interval_s: float = 1.0
    strikes: int = 2
    patience_s: float = 10.0

    def pause_s(self, tried: int, generator: random.Random) -> float:
        """Return how long to wait after ``tried`` tries.

        Half of it is left to chance: requests that failed together then come apart.
        """
        longest: float = min(self.first_pause_s * 2.0 ** (tried - 1), self.longest_pause_s)
        return longest * generator.uniform(0.5, 1.0)
