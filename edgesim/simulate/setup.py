"""What a run is made from, and what its parts use of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan
from edgesim.simulate.flows import Flows
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.processes import Process
from edgesim.simulate.recorder import Recorder
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.routes import Port
from edgesim.simulate.server import Server
from edgesim.simulate.traffic import Traffic
from edgesim.simulate.work import Parcel, Path, ReadyBranch, Request, Work

Progress = Callable[[int], None]
"""Called now and then with the number of requests that ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The arguments of `edgesim.simulate.simulate`."""

    plan: Plan
    cluster: Cluster
    traffic: Traffic
    seed: int
    replication: int
    trace_requests: int
    progress: Progress | None
    recovery: Recovery
    processes: tuple[Process, ...] = ()


class Running(Protocol):
    """What the handling of failures uses of the engine (`edgesim.simulate.engine.Engine`)."""

    kernel: Kernel
    ports: dict[str, Port]
    flows: Flows
    servers: dict[str, Server]
    branches: tuple[ReadyBranch, ...]
    recorder: Recorder

    def send(self, before_s: float, parcels: Sequence[Parcel]) -> None:
        """Let the first bytes of transfers leave together in ``before_s`` seconds."""

    def arrived(self, parcel: Parcel, now: float, path: Path) -> None:
        """Count an input that has arrived."""

    def submit(self, work: Work, now: float, path: Path) -> None:
        """Hand a task all of whose inputs have arrived to its server."""

    def end(self, request: Request, now: float, path: Path) -> None:
        """Count one ending."""

    def close(self, request: Request, last_j: float = 0.0) -> None:
        """Close a request, answered or failed."""
