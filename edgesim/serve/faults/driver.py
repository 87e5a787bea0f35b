"""Orders of a schedule of faults, as lines of text, and the program that carries them out.

``crash NODE`` and ``repair NODE``, ``freeze NODE`` and ``thaw NODE``, ``slow NODE SPEED`` and
``restore NODE``, ``cut LINK`` and ``mend LINK``, ``degrade LINK BANDWIDTH LATENCY LOSS`` and
``mend LINK``: speed and loss as shares, bandwidth in bytes per second or ``-`` for the link's own,
latency in seconds on top of the link's own. Names are the scenario's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.text import foreign
from edgesim.hardware import Cluster, Fault, FaultKind

_ENDS = {
    FaultKind.CRASH: "repair",
    FaultKind.FREEZE: "thaw",
    FaultKind.SLOW: "restore",
    FaultKind.CUT: "mend",
    FaultKind.DEGRADE: "mend",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        at_s: time at which it is due, on the run's clock.
        text: text of the order.
        undo: order that ends the fault; empty for an order that ends one.
    """

    at_s: float
    text: str
    undo: str = ""


def orders_of(cluster: Cluster) -> tuple[Order, ...]:
    """Return the orders of a cluster's schedule, in order of time.

    Schedules of single nodes and links are in it; random failures are not, as nobody knows them.

    Raises:
        InputError: a name has a space in it, which would part the words of an order.
    """
    faults = list(cluster.faults)
    for name, node in cluster.nodes.items():
        faults += [
            Fault(at_s=one.at_s, duration_s=one.duration_s, kind=FaultKind.CRASH, node=name)
            for one in (node.faults.schedule if node.faults else ())
        ]
    for name, link in cluster.network.links.items():
        faults += [
            Fault(at_s=one.at_s, duration_s=one.duration_s, kind=FaultKind.CUT, link=name)
            for one in (link.faults.schedule if link.faults else ())
        ]
    found: list[Order] = []
    for fault in faults:
        if len(fault.target.split()) != 1:
            raise InputError(
                f"'{fault.target}': a node or link that fails on real nodes needs a name of one "
                "word"
            )
        end = f"{_ENDS[fault.kind]} {fault.target}"
        found += [Order(fault.at_s, _begin(fault), end), Order(fault.end_s, end)]
    # What ends at a moment ends before what begins then.
    return tuple(sorted(found, key=lambda order: (order.at_s, bool(order.undo))))


def _begin(fault: Fault) -> str:
    text = f"{fault.kind} {fault.target}"
    if fault.kind is FaultKind.SLOW:
        return f"{text} {fault.speed:g}"
    if fault.kind is FaultKind.DEGRADE:
        bandwidth = "-" if fault.bandwidth_byte_s is None else f"{fault.bandwidth_byte_s:.0f}"
        return f"{text} {bandwidth} {fault.latency_s:g} {fault.loss:g}"
    return text


_PATIENCE_S = 30.0
"""Time for the answer to one order."""
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class CompletedOrder:
    """An order that was carried out.

    Attributes:
        order: the order.
        sent_s: time at which it was sent, on the run's clock.
        done_s: time of the answer.
    """

    order: Order
    sent_s: float
    done_s: float


@dataclass(eq=False)
class Driver:
    """Sends the orders of a schedule to a program, one per line, and reads an answer to each.

    The program answers ``ok``, or ``error`` and why, on a line of its own. It ends when its input
    ends. :meth:`close` ends the faults that no later order ended.

    Attributes:
        command: the program and its arguments.
        orders: orders by time.
        done: orders that were carried out.
    """

    command: Sequence[str]
    orders: Sequence[Order]
    done: list[CompletedOrder] = field(default_factory=list)
    _broken: dict[str, None] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the program.

        Raises:
            EdgesimError: it cannot be started.
        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Ctrl-C is for the coordinator: the program still has to end the faults.
                start_new_session=True,
            )
        except OSError as error:
            raise EdgesimError(
                f"--faults-by: cannot start {self.command[0]}: {error.strerror or error}"
            ) from None

    async def run(self, clock: Callable[[], float]) -> None:
        """Send every order when it is due.

        Args:
            clock: seconds since the run began.

        Raises:
            EdgesimError: the program refused one, answered something else, or not in time.
        """
        for order in self.orders:
            await asyncio.sleep(max(0.0, order.at_s - clock()))
            sent_s = clock()
            if order.undo:
                self._broken[order.undo] = None
            await self._send(order.text)
            self._broken.pop(order.text, None)
            self.done.append(CompletedOrder(order, sent_s, clock()))

    async def _send(self, text: str) -> None:
        process = self._process
        assert process is not None, "it was started"
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{text}\n".encode())
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S)
        except TimeoutError:
            raise EdgesimError(
                f"--faults-by: no answer to '{text}' within {_PATIENCE_S:g} s"
            ) from None
        except (OSError, ValueError) as error:
            raise EdgesimError(f"--faults-by: '{text}': {error}") from None
        answer = line.decode(errors="replace").strip()[:_LONGEST]
        if not line:
            raise EdgesimError(f"--faults-by: the program ended before it answered '{text}'")
        if answer.startswith("error"):
            said = foreign(answer.removeprefix("error").strip())
            raise EdgesimError(f"--faults-by: '{text}': {said}")
        if answer != "ok":
            raise EdgesimError(
                f"--faults-by: expected 'ok' or 'error ...' in answer to '{text}', got '{answer!r}'"
            )

    async def close(self) -> None:
        """End the faults that are still active, and end the program."""
        process = self._process
        if process is None:
            return
        for text in list(self._broken):
            # A fault that cannot be ended must not keep the others active.
            with contextlib.suppress(EdgesimError):
                await self._send(text)
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
