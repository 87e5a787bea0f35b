"""A set of whole numbers that are mostly neighbours."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator


class Spans:
    """Whole numbers as stretches ``[start, stop)``, ascending: a billion may take a few bytes."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self.stretches())

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number < self._stops[index]

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yield the stretches, ascending."""
        yield from zip(self._starts, self._stops, strict=True)

    def add(self, number: int) -> None:
        """Take in a number that is above all others.

        Raises:
            ValueError: it is not.
        """
        if self._stops and number < self._stops[-1]:
            raise ValueError(f"expected more than {self._stops[-1] - 1}, got {number}")
        if self._stops and number == self._stops[-1]:
            self._stops[-1] += 1
        else:
            self._starts.append(number)
            self._stops.append(number + 1)

    def missing(self, stop: int) -> Iterator[range]:
        """Yield the stretches of ``[0, stop)`` that are not in the set, ascending."""
        here = 0
        for start, end in self.stretches():
            if start > here:
                yield range(here, min(start, stop))
            here = max(here, end)
            if here >= stop:
                return
        if here < stop:
            yield range(here, stop)
