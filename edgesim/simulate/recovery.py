"""Recovery: retries, hedges, standby nodes, reassignment, health checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StrictInt

from edgesim.common.fields import UNSET, WHOLE, Name
from edgesim.common.quantities import Bandwidth, PositiveSeconds, Seconds
from edgesim.common.validation import spec


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Further attempts at a part that failed.

    Half of a pause is random, so that requests that failed together are not repeated together.

    Attributes:
        attempts: largest number of attempts of one part, the first included.
        timeout_s: longest wait for one attempt, in seconds; without it only the node's failure or
            the deadline ends an attempt.
        backoff_s: pause before the second attempt, in seconds; doubled before each further one.
        longest_s: longest pause between two attempts, in seconds.
    """

    attempts: Annotated[StrictInt, Field(ge=1, le=100), WHOLE] = 3
    timeout_s: PositiveSeconds | None = None
    backoff_s: Seconds = 0.02
    longest_s: Seconds = 0.5

    def pause_s(self, tried: int, chance: float) -> float:
        """Return the pause after ``tried`` attempts in seconds; ``chance`` is uniform in [0, 1)."""
        longest: float = min(self.backoff_s * 2.0 ** min(tried - 1, 64), self.longest_s)
        return longest * (0.5 + 0.5 * chance)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """A second attempt at a slow part on another node that has it; the first answer counts.

    Attributes:
        after_s: time without an answer after which a second node is asked, in seconds.
    """

    after_s: PositiveSeconds


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign:
    """Reassignment of a part whose node is down: its weights are sent to another and loaded there.

    Attributes:
        after_s: time that a node has been down before its parts move, in seconds.
        source: name of the node that keeps all weights; unless given, where requests enter, or the
            fusion's node.
        load_byte_s: bandwidth at which a node loads weights, in bytes per second.
    """

    after_s: Seconds
    source: Name | None = None
    load_byte_s: Bandwidth = 50e6


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Health checks of nodes; a node that fails them gets no work until it passes one.

    Attributes:
        interval_s: time between checks, and longest time of a check, in seconds.
        strikes: number of failures in a row, of checks or of parts, that take a node out.
    """

    interval_s: PositiveSeconds = 1.0
    strikes: Annotated[StrictInt, Field(ge=1, le=1000), WHOLE] = 2


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Recovery of parts that do not answer; without it, lost parts stay lost.

    Attributes:
        deadline_s: longest time of one part, all attempts together, in seconds.
        retry: further attempts of a part that failed.
        hedge: second request of a part that is slow.
        standby: names of nodes with a copy of every part, asked when a part's own node is down.
        reassign: move of parts whose node stays down.
        degrade: whether a request is answered without optional parts that are lost.
        health: health checks of nodes; without them crashes are known at once, and nothing else is.
    """

    deadline_s: PositiveSeconds | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    standby: Annotated[tuple[Name, ...], UNSET] = ()
    reassign: Reassign | None = None
    degrade: bool = True
    health: Health | None = None

    @property
    def bounds_waits(self) -> bool:
        """Whether a deadline or a time-out ends every wait for a node."""
        timeout_s = None if self.retry is None else self.retry.timeout_s
        return self.deadline_s is not None or timeout_s is not None
