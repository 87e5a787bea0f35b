"""The one thread of a node that computes: takes requests from the line, in batches, and answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import torch

from edgesim.serve.jobs import Answer, Job, Line
from edgesim.serve.refusal import Reason, RefusalError

T = TypeVar("T")


class Engine:
    """Runs models on requests until its line is closed and empty.

    One thread, because the models of a node share its processors; torch may use more threads within
    an operator. A batch joins requests along their samples: floating-point sums then may round
    otherwise than alone, so that answers are those of the model bit for bit only with ``batch_max``
    of 1.

    Attributes:
        line: where requests wait.
        running: requests in the execution that goes on.
    """

    def __init__(self, line: Line, *, threads: int, batch_max: int, batch_wait_s: float) -> None:
        """Prepare it; `start` begins.

        Args:
            line: where requests wait.
            threads: of torch within an operator.
            batch_max: requests that one execution takes together.
            batch_wait_s: how long an idle node waits for a fuller batch.
        """
        self.line = line
        self.running = 0
        self._threads = threads
        self._batch_max = batch_max
        self._batch_wait_s = batch_wait_s
        self._ended: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._work, name="compute", daemon=True)

    def start(self, ended: Callable[[], object]) -> None:
        """Begin to compute.

        Args:
            ended: called in the computing thread when the line was closed and all that waited is
                answered.
        """
        self._ended = ended
        self._thread.start()

    def admit(self, job: Job) -> int:
        """Put a request in line; return how many then wait, itself included.

        Where nothing runs, the first is about to be taken, and does not count.

        Raises:
            RefusalError: the line is full, or closed.
        """
        self.line.put(job)
        return len(self.line) if self.running else max(0, len(self.line) - 1)

    def do(self, task: Callable[[], T]) -> Future[T]:
        """Run something in the computing thread, between two executions."""
        result: Future[T] = Future()

        def errand() -> None:
            try:
                result.set_result(task())
            except Exception as error:
                result.set_exception(error)

        self.line.put_errand(errand)
        return result

    def _work(self) -> None:
        torch.set_num_threads(self._threads)
        while (work := self.line.take(self._batch_max, self._batch_wait_s)) is not None:
            if callable(work):
                work()
            else:
                self._execute(work)
        self._ended()

    def _execute(self, batch: list[Job]) -> None:
        self.running = len(batch)
        begun_s, worked_s = time.monotonic(), time.thread_time()
        first = batch[0]
        try:
            inputs = first.inputs
            if len(batch) > 1:
                inputs = {
                    name: torch.cat([job.inputs[name] for job in batch]) for name in first.inputs
                }
            outputs = first.model.run(inputs, first.outputs)
        except Exception as error:
            # Whatever a model raises is an answer to those who asked it; the node goes on.
            told = RefusalError(Reason.INTERNAL, f"{first.model.name} failed: {error}")
            told.__cause__ = error
            self.running = 0
            for job in batch:
                job.done(told)
            return
        compute_s = time.monotonic() - begun_s
        processor_s = time.thread_time() - worked_s
        pieces = {
            name: torch.split(tensor, [job.samples for job in batch])
            for name, tensor in outputs.items()
        }
        # Whoever asks again at once finds nobody before them.
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
