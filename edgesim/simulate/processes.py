"""SimPy processes of a user beside a simulation, which read and control its nodes and links."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import GeneratorType
from typing import Any

import numpy as np
import simpy

from edgesim.common.errors import EdgesimError, InputError, nearest
from edgesim.common.text import described
from edgesim.simulate.faults import CUT, FaultInjector
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.routes import Port, port_watts
from edgesim.simulate.server import Server
from edgesim.simulate.streams import stream

_CAUSE = "process"
"""Name of what a process does, among the causes of a fault."""


class NodeControl:
    """A node, as a process of a user sees it.

    Args:
        server: queue and cores of the node.
        host: machine that the node runs on.
        port: network port of the node.
        faults: state of all nodes.
    """

    def __init__(self, server: Server, host: Host, port: Port, faults: FaultInjector) -> None:
        self.name = server.node.name
        self._server = server
        self._host = host
        self._port = port
        self._faults = faults
        self._changed: simpy.Event | None = None
        for part in (host, port.sending, port.receiving):
            part.changed = partial(self._notify, part.changed)

    def _notify(self, before: Callable[[], None] | None) -> None:
        if before is not None:
            before()
        event, self._changed = self._changed, None
        if event is not None:
            event.succeed()

    def changed(self) -> simpy.Event:
        """Return an event that happens when its power may have changed.

        That is when a task starts or ends, when the first transfer starts or the last one ends,
        and when its speed changes. It happens once; ask again to wait for the next change.
        """
        if self._changed is None:
            self._changed = self._faults.kernel.event()
        return self._changed

    @property
    def waiting(self) -> int:
        """Number of tasks in its queue."""
        return self._server.waiting

    @property
    def busy_cores(self) -> int:
        """Number of cores that run tasks now."""
        return self._server.busy_cores

    @property
    def up(self) -> bool:
        """Whether it has power and has started."""
        return self._server.up

    @property
    def power_w(self) -> float:
        """Power that it draws now, in watts; its share, where nodes share a machine."""
        if self._faults.nodes[self.name].causes:
            return 0.0
        sending_w, receiving_w = port_watts(self._server.node)
        watts = self._server.node.device.power.idle_w * self._host.idle_share
        watts += self._host.above_idle_w(self.name)
        watts += sending_w * bool(self._port.sending.count)
        return watts + receiving_w * bool(self._port.receiving.count)

    def set_speed(self, speed: float) -> None:
        """Run it at a share of its speed, from 0 to 1, and at that share of its power above idle.

        Limits of faults and heat multiply with it. A change is an event of the run, ``slow`` or
        ``restore``.

        Raises:
            InputError: the share is not between 0 and 1.
        """
        if not isinstance(speed, int | float) or not 0.0 <= speed <= 1.0:
            raise InputError(f"speed of node '{self.name}': expected 0 to 1, got {speed!r}")
        self._faults.slow(self.name, speed, _CAUSE)

    def switch_off(self) -> None:
        """Take its power away: tasks, queue and data on it are lost, as in a crash."""
        self._faults.crash(self.name, _CAUSE)

    def switch_on(self) -> None:
        """Give it power again; it answers when its ``restart`` has passed."""
        self._faults.repair(self.name, _CAUSE)


class LinkControl:
    """A link, as a process of a user sees it.

    Args:
        name: name of the link.
        faults: state of all links.
    """

    def __init__(self, name: str, faults: FaultInjector) -> None:
        self.name = name
        self._faults = faults
        self._off = False

    @property
    def up(self) -> bool:
        """Whether it carries bytes."""
        return not self._faults.is_cut(self.name)

    def switch_off(self) -> None:
        """Carry nothing from now on; transfers on it stop where they are, and go on later."""
        if not self._off:
            self._off = True
            self._faults.change_link(self.name, _CAUSE, CUT)

    def switch_on(self) -> None:
        """Carry bytes again, unless a fault of its own cuts it."""
        if self._off:
            self._off = False
            self._faults.change_link(self.name, _CAUSE, None)


class _Named(dict[str, Any]):
    """Nodes or links by name; a name that is not there is an error that names the nearest."""

    def __init__(self, kind: str, found: Mapping[str, Any]) -> None:
        super().__init__(found)
        self._kind = kind

    def __missing__(self, name: object) -> Any:
        known = ", ".join(self) or "none"
        raise InputError(
            f"a process asks for {self._kind} '{name}'; there are {known}"
            f"{nearest(str(name), list(self))}"
        )


@dataclass(frozen=True, eq=False, slots=True)
class Simulation:
    """One replication of a run, as a process of a user sees it.

    Attributes:
        env: the SimPy environment of the engine: its clock (``env.now``, in seconds), its events
            (``env.timeout``, ``env.event``, ``env.any_of``), further processes (``env.process``).
        nodes: every node by name.
        links: every link by name.
        replication: number of the replication, from 0.
    """

    env: simpy.Environment
    nodes: Mapping[str, NodeControl]
    links: Mapping[str, LinkControl]
    replication: int
    _seed: int = field(repr=False)
    _faults: FaultInjector = field(repr=False)

    def generator(self, purpose: str) -> np.random.Generator:
        """Return random numbers for one purpose: a stream of this seed, replication and purpose."""
        return stream(self._seed, self.replication, f"process {purpose}")

    def record(self, target: str, what: str, detail: str = "") -> None:
        """Add an event of a node or link to the events of the run."""
        self._faults.record(target, what, detail)


Process = Callable[[Simulation], Generator[simpy.Event, Any, Any]]
"""A function that takes a `Simulation` and is a process of SimPy: it yields events."""


def checked_processes(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Return the processes of a user, which may come from an iterator, for any number of runs.

    Raises:
        InputError: they are no functions.
    """
    if not isinstance(processes, Iterable) or isinstance(processes, str):
        raise InputError(
            f"processes: expected a list of generator functions, got {described(processes)}"
        )
    found = tuple(processes)
    for process in found:
        if isinstance(process, GeneratorType):
            raise InputError(f"process {process.__name__}: give the function itself, not its call")
        if not callable(process):
            raise InputError(f"processes: expected generator functions, got {described(process)}")
    return found


def start_processes(
    processes: Sequence[Process],
    kernel: Kernel,
    servers: Mapping[str, Server],
    ports: Mapping[str, Port],
    faults: FaultInjector,
) -> None:
    """Start the processes of a user now, in their order, before the first request arrives.

    Raises:
        InputError: one of them is no generator function.
    """
    nodes = {}
    for name, server in servers.items():
        assert server.host is not None, "a run with processes gives each node a host"
        nodes[name] = NodeControl(server, server.host, ports[name], faults)
    links = {name: LinkControl(name, faults) for name in faults.cluster.network.links}
    simulation = Simulation(
        kernel, _Named("node", nodes), _Named("link", links), faults.replication, faults.seed,
        faults,
    )  # fmt: skip
    for process in processes:
        try:
            generator = process(simulation)
        except TypeError as error:
            raise InputError(
                f"process {process_name(process)}: expected a function of one argument, the "
                f"simulation: {error}"
            ) from error
        if not isinstance(generator, GeneratorType):
            raise InputError(
                f"process {process_name(process)}: expected a generator function, which yields "
                f"events such as simulation.env.timeout(1.0), got {described(generator)}"
            )
        event = kernel.process(generator)
        event.callbacks.append(partial(_check, process_name(process), kernel))


def process_name(process: Process) -> str:
    """Return the name of a process, as messages have it."""
    return getattr(process, "__name__", None) or type(process).__name__


def _check(name: str, kernel: Kernel, event: simpy.Event) -> None:
    """Report a process that an error ended."""
    error = None if event.ok else event.value
    if error is None or not isinstance(error, Exception) or isinstance(error, EdgesimError):
        return
    raise InputError(
        f"process {name} failed at {kernel.time_s:g} s: {type(error).__name__}: {error}"
    ) from error
