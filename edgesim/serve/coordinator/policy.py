"""How patient the coordinator is with nodes: a scenario's recovery with nothing left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edgesim.common.errors import InputError
from edgesim.simulate.recovery import Health, Recovery, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of one run.

    Attributes:
        deadline_s: that one part, or the fusion, has to answer, all tries together.
        retry: tries of one part, the pauses between them, and how long one may take.
        degrade: whether a request is answered without parts that did not.
        hedge_after_s: after which a part that has not answered is asked a second time, over a
            connection of its own; the first answer counts. None for never.
        health: checks of nodes; each has an interval to answer.
        patience_s: for all nodes to be ready before the run.
    """

    deadline_s: float = 5.0
    retry: Retry = field(default_factory=Retry)
    degrade: bool = True
    hedge_after_s: float | None = None
    health: Health = field(default_factory=Health)
    patience_s: float = 10.0

    @classmethod
    def of(
        cls,
        recovery: Recovery,
        settings: Mapping[str, float] | None = None,
        tries: int | None = None,
    ) -> Policy:
        """Return the policy of a real run: as the command line says, else the scenario's recovery.

        What neither tells is as in `Policy`.

        Args:
            recovery: of the scenario.
            settings: seconds of ``deadline``, ``hedge`` and ``health``, where they are given.
            tries: of one part, where given.

        Raises:
            InputError: it asks for what only a simulation has.
        """
        for key, simulated in (("standby", recovery.standby), ("reassign", recovery.reassign)):
            if simulated:
                raise InputError(
                    f"recovery.{key} is simulated only: every real node serves its own parts; "
                    f"leave it out (--set recovery.{key}=) to play on real nodes"
                )
        given = dict(settings or {})
        retry, health = recovery.retry or Retry(), recovery.health or Health()
        hedge_s = None if recovery.hedge is None else recovery.hedge.after_s
        known: dict[str, Any] = {
            "deadline_s": given.get("deadline", recovery.deadline_s),
            "hedge_after_s": given.get("hedge", hedge_s),
            "retry": retry if tries is None else replace(retry, attempts=tries),
            "health": replace(health, interval_s=given.get("health", health.interval_s)),
        }
        return cls(
            degrade=recovery.degrade,
            **{name: value for name, value in known.items() if value is not None},
        )

    def simulated(self) -> Recovery:
        """Return how a simulation plays it.

        A hedge of a real run asks the same node a second time, over another connection, which
        changes nothing in a simulation.
        """
        return Recovery(
            deadline_s=self.deadline_s, retry=self.retry, degrade=self.degrade, health=self.health
        )
