"""The clock of a simulation: a SimPy environment that also calls plain callbacks."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, cast

import simpy
from simpy.core import StopSimulation
from simpy.events import NORMAL, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

Callback = Callable[[Any], None]
AFTER: int = NORMAL + 1
"""Priority of events after all others of their instant."""
LAST: int = NORMAL + 2
"""Priority of events after the end of every flow of their instant, too."""


class Kernel(simpy.Environment):
    """A SimPy environment that also schedules plain callbacks at absolute times.

    Events at one instant happen in order of priority, then in the order in which they were
    scheduled, so a run is a function of its inputs alone. SimPy processes may be added beside the
    callbacks.
    """

    def __init__(self) -> None:
        self.time_s = 0.0
        """Now, in seconds; the same as ``Environment.now``, without the cost of a property."""
        super().__init__()
        # SimPy schedules by delay; now + (t - now) is not always t. The agenda is the heap that
        # Environment.step reads: (time, priority, serial, event).
        self.agenda = cast("list[tuple[float, int, int, Event]]", self._queue)
        self.serial: Iterator[int] = self._eid

    @property
    def _now(self) -> float:  # SimPy's own clock is this one: one store an event, not two
        return self.time_s

    @_now.setter
    def _now(self, time_s: float) -> None:
        self.time_s = time_s

    def at(self, time_s: float, event: Event, priority: int = NORMAL) -> None:
        """Let ``event`` happen at ``time_s``; its callbacks must be set."""
        heappush(self.agenda, (time_s, priority, next(self.serial), event))

    def call_at(self, time_s: float, callback: Callback, priority: int = NORMAL) -> Event:
        """Call ``callback(event)`` at ``time_s``; return the event."""
        event = Event(self)
        event._ok = True
        event._value = None
        event.callbacks = [callback]
        heappush(self.agenda, (time_s, priority, next(self.serial), event))
        return event

    def call_after(self, delay_s: float, callback: Callback) -> Event:
        """Call ``callback(event)`` in ``delay_s`` seconds; return the event."""
        return self.call_at(self.time_s + delay_s, callback)

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
                callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
                for callback in callbacks:
                    callback(event)
                if not event._ok and not event.defused:
                    raise cast("BaseException", event._value)
        except StopSimulation:
            return
