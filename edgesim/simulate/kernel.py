"""The clock of a simulation: a SimPy environment that also calls plain functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, cast

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import NORMAL, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

Callback = Callable[[Any], None]
AFTER: int = NORMAL + 1
"""Priority of events after all others of their instant."""
LAST: int = NORMAL + 2
"""Priority of events after the end of every flow of their instant, too."""


class Call:
    """An event that calls one function with itself: lighter than SimPy's, which hold a list.

    Nothing can wait for it; it may be scheduled again once it happened.

    Attributes:
        act: called with the event.
    """

    __slots__ = ("act",)

    def __init__(self, act: Callback) -> None:
        self.act = act


class Kernel(simpy.Environment):
    """A SimPy environment that also schedules plain calls at absolute times.

    Events at one instant happen in order of priority, then in the order in which they were
    scheduled, so a run is a function of its inputs alone. SimPy processes and events may be added
    beside the calls.
    """

    def __init__(self) -> None:
        self.time_s = 0.0
        """Now, in seconds; the same as ``Environment.now``, without the cost of a property."""
        super().__init__()
        # SimPy schedules by delay; now + (t - now) is not always t. The agenda is the heap that
        # SimPy fills, too: (time, priority, serial, event).
        self.agenda = cast("list[tuple[float, int, int, Event | Call]]", self._queue)
        self.serial: Iterator[int] = self._eid

    @property
    def _now(self) -> float:  # SimPy's own clock is this one: one store an event, not two
        return self.time_s

    @_now.setter
    def _now(self, time_s: float) -> None:
        self.time_s = time_s

    def schedule(self, event: Event, priority: Any = NORMAL, delay: float = 0) -> None:
        """Let an event of SimPy's happen after a delay, in seconds.

        Raises:
            ValueError: the delay is not a number, with which the order of events would be lost.
        """
        if math.isnan(delay):
            raise ValueError("expected a delay in seconds, got nan")
        super().schedule(event, priority, delay)

    def at(self, time_s: float, event: Call, priority: int = NORMAL) -> None:
        """Let ``event`` happen at ``time_s``."""
        heappush(self.agenda, (time_s, priority, next(self.serial), event))

    def call_at(self, time_s: float, callback: Callback, priority: int = NORMAL) -> Call:
        """Call ``callback(event)`` at ``time_s``; return the event."""
        event = Call(callback)
        heappush(self.agenda, (time_s, priority, next(self.serial), event))
        return event

    def call_after(self, delay_s: float, callback: Callback) -> Call:
        """Call ``callback(event)`` in ``delay_s`` seconds; return the event."""
        return self.call_at(self.time_s + delay_s, callback)

    def step(self) -> None:
        """Let the next event happen.

        Raises:
            EmptySchedule: nothing is left to happen.
        """
        if not self.agenda:
            raise EmptySchedule
        self.time_s, _, _, event = heappop(self.agenda)
        if isinstance(event, Call):
            event.act(event)
        else:
            _happen(event)

    def run_until(self, until: Event) -> None:
        """Run until ``until`` happens, or nothing is left to happen.

        The loop of ``Environment.run`` and ``step`` in one frame: a call less for every event.
        """
        if until.callbacks is None:
            return
        until.callbacks.append(StopSimulation.callback)
        agenda, pop = self.agenda, heappop
        try:
            while agenda:
                self.time_s, _, _, event = pop(agenda)
                try:
                    act = event.act  # type: ignore[union-attr]
                except AttributeError:
                    _happen(cast("Event", event))
                else:
                    act(event)
        except StopSimulation:
            return


def _happen(event: Event) -> None:
    """Do what SimPy does when one of its events happens."""
    callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
    for callback in callbacks:
        callback(event)
    if not event._ok and not event.defused:
        raise cast("BaseException", event._value)
