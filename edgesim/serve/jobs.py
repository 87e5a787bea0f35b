"""Requests that wait to be computed, in a line of bounded length."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from edgesim.serve.models import Model
from edgesim.serve.refusal import Reason, RefusalError


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        outputs: (samples, …) by name.
        queue_s: that it waited.
        compute_s: that the execution took which it was part of.
        processor_s: of that, what the computing thread was on a processor; others that torch uses
            are not in it.
        batch: requests in that execution.
    """

    outputs: Mapping[str, Tensor]
    queue_s: float
    compute_s: float
    processor_s: float
    batch: int


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One request.

    Attributes:
        model: that shall run.
        inputs: (samples, …) by name.
        outputs: that are wanted, by name.
        samples: of the request.
        done: is told the answer, or why there is none, in the thread that computes.
        deadline_s: on the clock of `time.monotonic`; later than that nobody waits for the answer.
        entered_s: when it began to wait, on the same clock.
    """

    model: Model
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    samples: int
    done: Callable[[Answer | RefusalError], None]
    deadline_s: float = math.inf
    entered_s: float = field(default_factory=time.monotonic)

    def goes_with(self, other: Job) -> bool:
        """Return whether one execution can answer both."""
        return (
            self.model is other.model
            and self.outputs == other.outputs
            and self.inputs.keys() == other.inputs.keys()
        )


Errand = Callable[[], None]
"""Something else to do in the thread that computes, before any request."""


class Line:
    """First in, first out, for one thread that takes and any that put.

    Attributes:
        limit: requests that may wait.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._jobs: deque[Job] = deque()
        self._errands: deque[Errand] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a request.

        Raises:
            RefusalError: the line is full, or closed.
        """
        with self._changed:
            if self._closed:
                raise RefusalError(Reason.UNAVAILABLE, "the node is shutting down; ask another one")
            if len(self._jobs) >= self.limit:
                raise RefusalError(
                    Reason.RESOURCE_EXHAUSTED,
                    f"the node's queue of {self.limit} was full; ask again later, or another node",
                )
            self._jobs.append(job)
            self._changed.notify_all()

    def put_errand(self, errand: Errand) -> None:
        """Add something that the computing thread does before it goes on with requests."""
        with self._changed:
            if self._closed:
                raise RefusalError(Reason.UNAVAILABLE, "the node is shutting down")
            self._errands.append(errand)
            self._changed.notify_all()

    def withdraw(self, job: Job) -> None:
        """Take a request back that nobody waits for any more, if it still waits itself."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def close(self) -> None:
        """Take nothing more in; what waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close, and turn away all that waits."""
        self.close()
        with self._changed:
            while self._jobs:
                told = "the node ended before the request was computed; ask another one"
                self._jobs.popleft().done(RefusalError(Reason.UNAVAILABLE, told))

    def take(self, most: int, wait_s: float) -> list[Job] | Errand | None:
        """Wait for work and return it.

        Requests that are past their deadline are told so and skipped.

        Args:
            most: requests to return together; only such as one execution can answer.
            wait_s: how long to wait for a fuller batch.

        Returns:
            Requests, or an errand, or None when the line is closed and empty.
        """
        with self._changed:
            while True:
                if self._errands:
                    return self._errands.popleft()
                if batch := self._gather(most, wait_s):
                    return batch
                # What was gathered may have gone meanwhile, and an errand come.
                if not self._jobs and not self._errands:
                    if self._closed:
                        return None
                    self._changed.wait()

    def _gather(self, most: int, wait_s: float) -> list[Job]:
        until_s = time.monotonic() + wait_s
        while True:
            self._drop_late()
            batch = self._first_alike(most)
            left_s = until_s - time.monotonic()
            if not batch or len(batch) == most or left_s <= 0 or self._closed or self._errands:
                break
            self._changed.wait(min(left_s, threading.TIMEOUT_MAX))
        for job in batch:
            self._jobs.remove(job)
        return batch

    def _first_alike(self, most: int) -> list[Job]:
        batch: list[Job] = []
        for job in self._jobs:
            if len(batch) == most:
                break
            if not batch or job.goes_with(batch[0]):
                batch.append(job)
        return batch

    def _drop_late(self) -> None:
        now_s = time.monotonic()
        late = [job for job in self._jobs if job.deadline_s <= now_s]
        for job in late:
            self._jobs.remove(job)
            job.done(RefusalError(Reason.DEADLINE_EXCEEDED, "the deadline passed while it waited"))
