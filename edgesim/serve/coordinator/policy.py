"""How long and how often the coordinator asks a node: a scenario's recovery, complete."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from edgesim.common.errors import InputError
from edgesim.simulate.recovery import Health, Recovery, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Deadlines, attempts and health checks of one run.

    Attributes:
        deadline_s: time in which one part, or the fusion, must answer, all attempts together.
        retry: attempts for one part, the pauses between them, and how long one may take.
        degrade: whether a request is answered without the parts that did not answer.
        hedge_after_s: time after which a part that has not answered is asked a second time, over
            its own connection; the first answer counts. None for never.
        health: checks of nodes; each must be answered within an interval.
        patience_s: time for all nodes to be ready before the run.
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
        *,
        deadline_s: float | None = None,
        attempts: int | None = None,
        hedge_after_s: float | None = None,
        health_interval_s: float | None = None,
    ) -> Policy:
        """Return the policy of a real run: the scenario's recovery with what options replace.

        What neither sets is as in `Policy`.

        Args:
            recovery: recovery of the scenario.
            deadline_s: time in which a part must answer, all attempts together.
            attempts: number of attempts to get an answer from a part.
            hedge_after_s: time after which a part that has not answered is asked a second time.
            health_interval_s: time between two health checks of a node.

        Raises:
            InputError: it asks for what only a simulation has.
        """
        for key, simulated in (("standby", recovery.standby), ("reassign", recovery.reassign)):
            if simulated:
                raise InputError(
                    f"recovery.{key} is simulated only: every real node serves its own parts; "
                    f"leave it out (--set recovery.{key}=) to run on real nodes"
                )
        retry, health = recovery.retry or Retry(), recovery.health or Health()
        if hedge_after_s is None and recovery.hedge is not None:
            hedge_after_s = recovery.hedge.after_s
        known: dict[str, Any] = {
            "deadline_s": recovery.deadline_s if deadline_s is None else deadline_s,
            "hedge_after_s": hedge_after_s,
            "retry": replace(retry, attempts=attempts or retry.attempts),
            "health": replace(health, interval_s=health_interval_s or health.interval_s),
        }
        return cls(
            degrade=recovery.degrade,
            **{name: value for name, value in known.items() if value is not None},
        )

    def simulated(self) -> Recovery:
        """Return the same policy for a simulation.

        A hedge of a real run asks the same node a second time, over another connection, which
        changes nothing in a simulation.
        """
        return Recovery(
            deadline_s=self.deadline_s, retry=self.retry, degrade=self.degrade, health=self.health
        )
