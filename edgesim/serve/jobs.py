"""Requests that wait to be computed, in a queue of bounded length."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from grpc import StatusCode
from torch import Tensor

from edgesim.common.text import size
from edgesim.hardware import Queue
from edgesim.serve.encoded import Encoded
from edgesim.serve.models import Model
from edgesim.serve.options import QUEUE_BYTES, QUEUE_LIMIT
from edgesim.serve.refusal import DROPPED, RefusalError, shutting_down


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a request.

    Attributes:
        outputs: tensors (samples, …) by name.
        queue_s: waiting time.
        compute_s: time of the execution that it was part of.
        processor_s: processor time of the computing thread in it, without other threads of torch.
        batch: number of requests in that execution.
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
        model: the model to run.
        inputs: tensors (samples, …) by name, or encoded images of which they are made.
        outputs: names of the wanted outputs.
        samples: number of samples.
        done: called with the answer or the refusal, in the computing thread or in one that puts.
        deadline_s: time on the clock of `time.monotonic` after which nobody waits for the answer.
        due_s: deadline of its request on the same clock, by which a queue may order, and after
            which it may drop; the answer is of use after that too.
        priority: order of service where the queue has it; the lower number first.
        source: stream that it belongs to; of each, the newest request waits in a `keep-latest`.
        entered_s: time at which it began to wait, on the same clock.
        input_bytes: bytes of the inputs, of encoded ones once decoded.
    """

    model: Model
    inputs: Mapping[str, Tensor | Encoded]
    outputs: tuple[str, ...]
    samples: int
    done: Callable[[Answer | RefusalError], None]
    deadline_s: float = math.inf
    due_s: float = math.inf
    priority: int = 0
    source: str = ""
    entered_s: float = field(default_factory=time.monotonic)
    input_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        """Measure the inputs."""
        self.input_bytes = sum(tensor.nbytes for tensor in self.inputs.values())

    def tensors(self) -> dict[str, Tensor]:
        """Return the inputs, encoded ones decoded.

        Raises:
            RefusalError: an image is damaged, or not one that the model takes.
        """
        return {
            name: torch.from_numpy(one.decode()) if isinstance(one, Encoded) else one
            for name, one in self.inputs.items()
        }

    def can_batch_with(self, other: Job) -> bool:
        """Return whether one execution can answer both."""
        return (
            self.model is other.model
            and self.outputs == other.outputs
            and self.inputs.keys() == other.inputs.keys()
        )


Task = Callable[[], None]
"""A function to run in the computing thread before any request."""


_RECENT = 1 / 8
"""Weight of the last execution in the mean time of a model (that of RFC 6298)."""


class JobQueue:
    """Queue of one computing thread: one thread takes, any thread puts.

    It does what `edgesim.hardware.Queue` says of a simulated one. With ``keep-latest``, the newest
    request of each model and source waits.

    Attributes:
        settings: order, limit, and what is dropped.
        limit: most requests that may wait.
        limit_bytes: most bytes of their inputs.
    """

    def __init__(self, settings: Queue, limit_bytes: int = QUEUE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.configure(settings)
        self._mean_s: dict[tuple[str, str], float] = {}
        self._jobs: deque[Job] = deque()
        self._tasks: deque[Task] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._jobs)

    def configure(self, settings: Queue) -> None:
        """Have another order, limit and rules from now on; what waits beyond the limit may stay."""
        self.settings = settings
        self.limit = settings.limit or QUEUE_LIMIT

    def note_execution(self, model: Model, time_s: float) -> None:
        """Let the time of an execution count in the mean of its model, which `skip_late` uses."""
        key = model.name, model.sha256
        with self._changed:
            before_s = self._mean_s.get(key, time_s)
            self._mean_s[key] = before_s + _RECENT * (time_s - before_s)

    def forget_executions(self) -> None:
        """Forget the times of models that are served no more."""
        with self._changed:
            self._mean_s.clear()

    def put(self, job: Job) -> None:
        """Add a request.

        Raises:
            RefusalError: the queue is full, or closed.
        """
        with self._changed:
            if self._closed:
                raise shutting_down()
            full = self.settings.full
            alike = [
                one for one in self._jobs if one.model is job.model and one.source == job.source
            ]
            if full == "keep-latest" and alike:
                # In its place: a stream of many requests waits no longer for its turn.
                place = self._jobs.index(alike[0])
                self._drop(alike[0], "for a newer request")
                self._jobs.insert(place, job)
                self._changed.notify_all()
                return
            if full == "drop-oldest" and len(self._jobs) >= self.limit:
                self._drop(self._jobs[0], f"as the one that waited longest of {self.limit}")
            if len(self._jobs) >= self.limit:
                raise RefusalError(
                    StatusCode.RESOURCE_EXHAUSTED,
                    f"the node's queue of {self.limit} was full; ask again later, or another node",
                )
            held_bytes = sum(one.input_bytes for one in self._jobs)
            if held_bytes and held_bytes + job.input_bytes > self.limit_bytes:
                raise RefusalError(
                    StatusCode.RESOURCE_EXHAUSTED,
                    f"{size(self.limit_bytes)} waited in the node's queue; ask again later, or "
                    "another node",
                )
            self._jobs.append(job)
            self._changed.notify_all()

    def _drop(self, job: Job, why: str) -> None:
        self._jobs.remove(job)
        job.done(RefusalError(StatusCode.RESOURCE_EXHAUSTED, f"{DROPPED} {why}"))

    def put_task(self, run_task: Task) -> None:
        """Add a function that the computing thread runs before the next request."""
        with self._changed:
            if self._closed:
                raise shutting_down()
            self._tasks.append(run_task)
            self._changed.notify_all()

    def withdraw(self, job: Job) -> None:
        """Remove a request that nobody waits for, if it is still in the queue."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def close(self) -> None:
        """Accept no more requests; those in the queue are still computed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close, and refuse all requests in the queue."""
        self.close()
        with self._changed:
            while self._jobs:
                message = "the node ended before the request was computed; ask another one"
                self._jobs.popleft().done(RefusalError(StatusCode.UNAVAILABLE, message))

    def take(self, most: int, wait_s: float) -> list[Job] | Task | None:
        """Wait for work, and return it.

        Requests that are past their deadline are refused and skipped.

        Args:
            most: most requests to return, all for one execution.
            wait_s: time to wait for more requests of a batch.

        Returns:
            Requests, or a function, or None when the queue is closed and empty.
        """
        with self._changed:
            while True:
                if self._tasks:
                    return self._tasks.popleft()
                if batch := self._gather(most, wait_s):
                    return batch
                # The batch may have been withdrawn meanwhile, and a function added.
                if not self._jobs and not self._tasks:
                    if self._closed:
                        return None
                    self._changed.wait()

    def _gather(self, most: int, wait_s: float) -> list[Job]:
        until_s = time.monotonic() + wait_s
        while True:
            self._drop_expired()
            self._skip_late()
            batch = self._first_batch(most)
            left_s = until_s - time.monotonic()
            if not batch or len(batch) == most or left_s <= 0 or self._closed or self._tasks:
                break
            self._changed.wait(min(left_s, threading.TIMEOUT_MAX))
        for job in batch:
            self._jobs.remove(job)
        return batch

    def _first_batch(self, most: int) -> list[Job]:
        batch: list[Job] = []
        for job in self._ordered():
            if len(batch) == most:
                break
            if not batch or job.can_batch_with(batch[0]):
                batch.append(job)
        return batch

    def _ordered(self) -> Iterable[Job]:
        """Return the requests in the order of service; first come, first served among equals."""
        if self.settings.order == "fifo":
            return self._jobs
        if self.settings.order == "edf":
            return sorted(self._jobs, key=lambda job: job.due_s)
        return sorted(self._jobs, key=lambda job: job.priority)

    def _skip_late(self) -> None:
        """Drop what cannot end by the deadline of its request any more."""
        if not self.settings.skip_late:
            return
        now_s, mean_s = time.monotonic(), self._mean_s
        for job in list(self._jobs):
            if now_s + mean_s.get((job.model.name, job.model.sha256), 0.0) > job.due_s:
                self._drop(job, "as it cannot be ready by its deadline")

    def _drop_expired(self) -> None:
        now_s = time.monotonic()
        late = [job for job in self._jobs if job.deadline_s <= now_s]
        for job in late:
            self._jobs.remove(job)
            message = "the deadline passed while it waited"
            job.done(RefusalError(StatusCode.DEADLINE_EXCEEDED, message))
