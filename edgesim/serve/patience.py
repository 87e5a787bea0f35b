"""A scenario's recovery as the policy of a coordinator, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgesim.common.errors import InputError
from edgesim.serve.coordinator.policy import Policy
from edgesim.simulate.recovery import Health, Recovery, Retry


def policy_of(
    recovery: Recovery, settings: Mapping[str, float] | None = None, tries: int | None = None
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
                f"recovery.{key} is simulated only: every real node serves its own parts; leave "
                "it out (--set recovery." + key + "=) to play on real nodes"
            )
    policy = Policy(degrade=recovery.degrade)
    if recovery.hedge is not None:
        policy = replace(policy, hedge_after_s=recovery.hedge.after_s)
    if recovery.deadline_s is not None:
        policy = replace(policy, deadline_s=recovery.deadline_s)
    if recovery.retry is not None:
        policy = replace(
            policy,
            tries=recovery.retry.attempts,
            timeout_s=recovery.retry.timeout_s,
            first_pause_s=recovery.retry.backoff_s,
            longest_pause_s=recovery.retry.longest_s,
        )
    if recovery.health is not None:
        policy = replace(
            policy,
            health_interval_s=recovery.health.interval_s,
            strikes=recovery.health.strikes,
        )
    keys = {
        "deadline": "deadline_s", "hedge": "hedge_after_s", "health": "health_interval_s",
    }  # fmt: skip
    given: dict[str, Any] = {keys[name]: value for name, value in (settings or {}).items()}
    if tries is not None:
        given["tries"] = tries
    return replace(policy, **given)


def recovery_of(policy: Policy) -> Recovery:
    """Return how a simulation plays a policy.

    A hedge of a real run asks the same node a second time, over another connection, which changes
    nothing in a simulation.
    """
    return Recovery(
        deadline_s=policy.deadline_s,
        retry=Retry(
            attempts=policy.tries,
            timeout_s=policy.timeout_s,
            backoff_s=policy.first_pause_s,
            longest_s=policy.longest_pause_s,
        ),
        degrade=policy.degrade,
        health=Health(interval_s=policy.health_interval_s, strikes=policy.strikes),
    )
