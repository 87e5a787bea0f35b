"""The computing thread of a node: takes requests from the queue, in batches, and answers them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import torch
from grpc import StatusCode
from torch import Tensor

from edgesim.serve.jobs import Answer, Job, JobQueue
from edgesim.serve.refusal import RefusalError

T = TypeVar("T")


@dataclass(eq=False)
class Engine:
    """Runs models on requests until the queue is closed and empty.

    One thread, because the models of a node share its processors; torch may use more threads within
    an operator. A batch joins requests along their samples: floating-point sums may then round
    differently, so that answers equal the model's bit for bit only with ``batch_max`` of 1.

    Attributes:
        queue: requests that wait.
        threads: threads that torch uses for one operator.
        batch_max: most requests in one execution.
        batch_wait_s: time that an idle node waits for more requests of a batch.
        running: number of requests in the current execution.
    """

    queue: JobQueue
    threads: int
    batch_max: int
    batch_wait_s: float
    running: int = 0

    def start(self, ended: Callable[[], object]) -> None:
        """Start the computing thread.

        Args:
            ended: called in the computing thread when the queue is closed and all requests are
                answered.
        """
        threading.Thread(target=self._work, args=(ended,), name="compute", daemon=True).start()

    def admit(self, job: Job) -> int:
        """Add a request to the queue; return how many wait then, itself included.

        Where nothing runs, the first is about to be taken, and does not count.

        Raises:
            RefusalError: the queue is full, or closed.
        """
        self.queue.put(job)
        return len(self.queue) if self.running else max(0, len(self.queue) - 1)

    def do(self, task: Callable[[], T]) -> Future[T]:
        """Run a function in the computing thread, between two executions."""
        result: Future[T] = Future()

        def run_task() -> None:
            try:
                result.set_result(task())
            except Exception as error:
                result.set_exception(error)

        self.queue.put_task(run_task)
        return result

    def _work(self, ended: Callable[[], object]) -> None:
        torch.set_num_threads(self.threads)
        while (work := self.queue.take(self.batch_max, self.batch_wait_s)) is not None:
            if callable(work):
                work()
            else:
                self._execute(work)
        ended()

    def _execute(self, taken: list[Job]) -> None:
        self.running = len(taken)
        begun_s, worked_s = time.monotonic(), time.thread_time()
        batch, decoded = _decoded(taken)
        if not batch:
            self.running = 0
            return
        first = batch[0]
        try:
            inputs = decoded[0]
            if len(batch) > 1:
                inputs = {name: torch.cat([one[name] for one in decoded]) for name in inputs}
            outputs = first.model.run(inputs, first.outputs)
        except Exception as error:
            # Whatever a model raises is the answer to its requests; the node continues.
            refusal = RefusalError(StatusCode.INTERNAL, f"{first.model.name} failed: {error}")
            refusal.__cause__ = error
            self.running = 0
            for job in batch:
                job.done(refusal)
            return
        compute_s = time.monotonic() - begun_s
        processor_s = time.thread_time() - worked_s
        self.queue.note_execution(first.model, compute_s)
        pieces = {
            name: torch.split(tensor, [job.samples for job in batch])
            for name, tensor in outputs.items()
        }
        # A client that asks again at once finds no request before its own.
        self.running = 0
        for number, job in enumerate(batch):
            answer = Answer(
                outputs={name: split[number] for name, split in pieces.items()},
                queue_s=begun_s - job.entered_s,
                compute_s=compute_s,
                processor_s=processor_s,
                batch=len(batch),
            )
            job.done(answer)


def _decoded(batch: list[Job]) -> tuple[list[Job], list[dict[str, Tensor]]]:
    """Return the requests whose inputs can be read, and these; the others are refused."""
    whole, inputs = [], []
    for job in batch:
        try:
            inputs.append(job.tensors())
            whole.append(job)
        except RefusalError as error:
            job.done(error)
    return whole, inputs
