"""What models of several simulators use: the least loaded queue, and a link that flows share.

Both cost the logarithm of what there is. Standard library only: a Python that has SimGrid seldom
has anything else.
"""

from __future__ import annotations

from heapq import heappop, heappush


class LeastLoaded:
    """Finds the queue with the fewest requests; of equals the first."""

    def __init__(self, queues: int) -> None:
        self._loads = [0] * queues
        self._heap = [(0, number) for number in range(queues)]

    def take(self) -> int:
        """Return the queue that a request joins now."""
        heap, loads = self._heap, self._loads
        while loads[heap[0][1]] != heap[0][0]:
            heappop(heap)
        number = heap[0][1]
        self._change(number, 1)
        return number

    def give_back(self, number: int) -> None:
        """A request has left a queue."""
        self._change(number, -1)

    def _change(self, number: int, by: int) -> None:
        self._loads[number] += by
        heappush(self._heap, (self._loads[number], number))


class FairLink:
    """A link whose flows all have the same rate: its capacity over their number.

    A flow of n bytes that starts when each flow has moved p bytes ends when they have moved p + n.
    """

    def __init__(self, capacity: float) -> None:
        self._capacity = capacity
        self._moved = 0.0
        self._since = 0.0
        self._ends: list[tuple[float, int]] = []

    def _advance(self, now: float) -> None:
        if self._ends:
            self._moved += (now - self._since) * self._capacity / len(self._ends)
        self._since = now

    def begin(self, now: float, number: int, size: float) -> None:
        """Start a flow."""
        self._advance(now)
        heappush(self._ends, (self._moved + size, number))

    def next_end(self) -> float:
        """Return when the next flow ends; infinity without one."""
        if not self._ends:
            return float("inf")
        left = max(0.0, self._ends[0][0] - self._moved)
        return self._since + left * len(self._ends) / self._capacity

    def end(self, now: float) -> int:
        """Return the number of the flow that ends now."""
        self._advance(now)
        self._moved, number = heappop(self._ends)
        return number
