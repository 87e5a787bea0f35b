"""What is done about a part that does not answer."""

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
    """Further tries of a part that failed.

    Half of a pause is left to chance, so that requests that failed together come apart.

    Attributes:
        attempts: of one part, the first included.
        timeout_s: of one try; without it nothing but its node's end or the deadline tells.
        backoff_s: before the second try; doubled before each further one.
        longest_s: between two tries.
    """

    attempts: Annotated[StrictInt, Field(ge=1, le=100), WHOLE] = 3
    timeout_s: PositiveSeconds | None = None
    backoff_s: Seconds = 0.02
    longest_s: Seconds = 0.5

    def pause_s(self, tried: int, chance: float) -> float:
        """Return how long to wait after ``tried`` tries; ``chance`` is uniform in [0, 1)."""
        longest: float = min(self.backoff_s * 2.0 ** min(tried - 1, 64), self.longest_s)
        return longest * (0.5 + 0.5 * chance)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """A second node that has the part is asked, too; the first answer counts.

    Attributes:
        after_s: that a part has not answered.
    """

    after_s: PositiveSeconds


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign:
    """A part whose node is down moves to another: its weights travel and are loaded there.

    Attributes:
        after_s: that its node has been down.
        source: node that keeps all weights; where requests enter unless given, or, where they
            enter nowhere, the fusion's.
        load_byte_s: at which a node loads weights.
    """

    after_s: Seconds
    source: Name | None = None
    load_byte_s: Bandwidth = 50e6


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Checks of nodes; one that fails them is asked no more until it passes one.

    Attributes:
        interval_s: between checks; as long for one.
        strikes: failures in a row, of checks or of parts, that take a node out.
    """

    interval_s: PositiveSeconds = 1.0
    strikes: Annotated[StrictInt, Field(ge=1, le=1000), WHOLE] = 2


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What is done about parts that do not answer; without it, what is lost is lost.

    Attributes:
        deadline_s: of one part, all tries together.
        retry: further tries.
        hedge: of parts that are slow.
        standby: nodes with a copy of every part, asked when a part's own is down.
        reassign: of parts whose node stays down.
        degrade: answer without parts that can be left out, once they are lost.
        health: without, a crash is known at once, and nothing else is.
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
