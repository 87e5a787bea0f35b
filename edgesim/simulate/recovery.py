"""What is done about a part that does not answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Another try of a part that failed.

    Attributes:
        attempts: of one part of one request, the first one included.
        timeout_s: after which a try without an answer has failed; None where nothing but its
            node's end or the deadline tells.
        backoff_s: before the second try, at most; twice as long before each further one. Half of
            it is left to chance, so that requests that failed together come apart.
        longest_s: between two tries, at most.
    """

    attempts: int = 3
    timeout_s: float | None = None
    backoff_s: float = 0.02
    longest_s: float = 0.5

    def pause_s(self, tried: int, chance: float) -> float:
        """Return how long to wait after ``tried`` tries; ``chance`` is uniform in [0, 1)."""
        longest: float = min(self.backoff_s * 2.0 ** min(tried - 1, 64), self.longest_s)
        return longest * (0.5 + 0.5 * chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Checks that tell whether a node answers; one that does not is asked no more until it does.

    Attributes:
        interval_s: between checks of a node; each waits as long for an answer.
        strikes: failures in a row, of checks or of parts, that take a node out.
    """

    interval_s: float = 1.0
    strikes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign:
    """A part whose node is down gets a new home: its weights travel and are loaded there.

    Attributes:
        after_s: that its node must have been down.
        source: node that keeps the weights of every part; None for the plan's input node, or where
            it has none, its fusion's.
        load_byte_s: at which a node loads weights that have come.
    """

    after_s: float
    source: str | None = None
    load_byte_s: float = 50e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How a cluster deals with faults. The default does nothing: what is lost is lost.

    Attributes:
        deadline_s: that one part has to answer, all tries together; None for ever.
        retry: further tries; None for none.
        hedge_after_s: after which a part that has not answered is asked of another node that has
            it, too; the first answer counts. None for never.
        standby: nodes that hold a copy of every part and are asked when a part's own is down.
        reassign: a part whose node stays down moves; None where it does not.
        degrade: whether a request is answered without the optional parts that were given up.
        health: checks of nodes; None where a crash is known at once, and nothing else is.
    """

    deadline_s: float | None = None
    retry: Retry | None = None
    hedge_after_s: float | None = None
    standby: tuple[str, ...] = ()
    reassign: Reassign | None = None
    degrade: bool = True
    health: Health | None = None
