"""One simulation of a plan: the entry point of this package."""

from __future__ import annotations

from collections.abc import Sequence

from edgesim.common.errors import EdgesimError, InputError
from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan
from edgesim.simulate.engine import Engine
from edgesim.simulate.processes import Process, checked_processes
from edgesim.simulate.recording import Recording
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.setup import Progress, Setup
from edgesim.simulate.traffic import Traffic


def simulate(
    plan: Plan,
    cluster: Cluster,
    traffic: Traffic,
    *,
    seed: int,
    replication: int = 0,
    trace_requests: int = 1000,
    progress: Progress | None = None,
    recovery: Recovery | None = None,
    processes: Sequence[Process] = (),
) -> Recording:
    """Simulate ``plan`` on ``cluster`` under ``traffic``; return the recording.

    Args:
        plan: checked by `edgesim.placement.place`.
        cluster: nodes and network.
        traffic: requests that are offered.
        seed: seed of every random stream.
        replication: number of the replication; each has random streams of its own.
        trace_requests: number of leading requests whose spans are recorded.
        progress: called now and then with the number of requests that ended.
        recovery: what is done about parts that do not answer; None for nothing.
        processes: SimPy processes of a user, started before the first request.

    An interrupt (Ctrl-C) ends the run; the recording is then marked partial.

    Raises:
        InputError: a process of the user fails, or is no generator function.
    """
    setup = Setup(
        plan=plan,
        cluster=cluster,
        traffic=traffic,
        seed=seed,
        replication=replication,
        trace_requests=trace_requests,
        progress=progress,
        recovery=recovery or Recovery(),
        processes=checked_processes(processes),
    )
    engine = Engine(setup)
    try:
        return engine.run()
    except EdgesimError:
        raise
    except Exception as error:
        if not setup.processes:
            raise
        # Of a process that a process started, or of an event that nothing waits for.
        raise InputError(
            f"a process failed at {engine.kernel.time_s:g} s: {type(error).__name__}: {error}"
        ) from error
