"""Training of all runs of a grid, in one process or several, with a progress bar for each."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

import torch
from grid_claims import claim
from grid_experiments import Setting
from grid_run import Run, make
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from optics.errors import InputError as OpticsError
from partition.data import open_data
from partition.errors import InputError, PartitionError
from partition.files import remove_unfinished
from partition.progress import Report
from partition.store import load_tensors

POLL_S = 1.0
"""Seconds between two checks for runs that other processes train."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that stopped a process.

    Attributes:
        message: message of the error, one line.
        status: exit status of the command.
    """

    message: str
    status: int


Notify = Callable[[Report | str], None]
"""Receives the progress of a run, or a line to print."""


@dataclass(frozen=True, slots=True)
class Order:
    """Runs to train.

    Attributes:
        runs: runs in their order.
        setting: setting of all runs.
        work: folder of finished runs.
        device: device of the training, ``cpu`` or ``cuda``.
    """

    runs: tuple[Run, ...]
    setting: Setting
    work: Path
    device: str

    def finished(self) -> int:
        """Return how many runs are finished."""
        return sum(run.file(self.work).exists() for run in self.runs)


def make_all(order: Order, notify: Notify) -> None:
    """Train the runs that no other process has claimed, until all are finished.

    A finished run is claimed too: the process that trained it may have been killed before it
    removed its lock file, or while it wrote a file.
    """
    data = open_data(order.setting.data)
    left = list(order.runs)
    while left:
        others = []
        for run in left:
            with claim(order.work / f"{run.name}.lock") as held:
                if held is None:
                    others.append(run)
                    continue
                remove_unfinished(order.work, f"{run.name}-")
                if not _is_finished(run, order.work):
                    if held.cut_short:
                        notify(
                            f"{run.name} was cut short ({held.cut_short}); it continues from there"
                        )
                    make(run, data, order.setting, order.work, torch.device(order.device), notify)
                    notify(Report(step=run.name, done=1.0))
        if len(others) == len(left):
            time.sleep(POLL_S)
        left = others


def _is_finished(run: Run, work: Path) -> bool:
    """Return whether a run is stored and readable."""
    if not run.file(work).exists():
        return False
    try:
        load_tensors(run.file(work))
    except InputError:
        return False
    return True


def in_processes(order: Order, jobs: int, notify: Notify) -> None:
    """Run :func:`make_all` in ``jobs`` processes; the first failure ends all of them.

    Raises:
        PartitionError: a process failed; the error has its message and exit status.
    """
    context = multiprocessing.get_context("spawn")
    events: Queue[Report | str | Failure] = context.Queue()
    workers = [
        context.Process(target=_work, args=(order, events), daemon=True) for _ in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers) or not events.empty():
            try:
                event = events.get(timeout=POLL_S / 2)
            except queue.Empty:
                if any(worker.exitcode for worker in workers) and events.empty():
                    raise PartitionError(
                        "a process ended before its runs were finished; the same command continues"
                    ) from None
                continue
            if isinstance(event, Failure):
                raise (InputError if event.status == 2 else PartitionError)(event.message)
            notify(event)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _work(order: Order, events: Queue[Report | str | Failure]) -> None:
    """Run :func:`make_all` as one of several processes; end when the parent process ends."""
    torch.set_num_threads(1)
    events.cancel_join_thread()
    parent = os.getppid()

    def notify(event: Report | str) -> None:
        if os.getppid() != parent:
            sys.exit(1)
        events.put(event)

    try:
        make_all(order, notify)
    except (PartitionError, OpticsError) as error:
        events.put(Failure(str(error), getattr(error, "exit_status", 2)))
    except KeyboardInterrupt:
        sys.exit(1)
    events.close()
    events.join_thread()


class Bars:
    """Progress bars on standard error: one for all runs and one for each run in training.

    Where standard error is no terminal: a line for each finished run.
    """

    def __init__(self, order: Order, *, quiet: bool) -> None:
        self._order = order
        self._quiet = quiet
        console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._done: dict[str, float] = {}
        self._total = self._bar.add_task("all runs", total=len(order.runs), figures="")

    def __enter__(self) -> Bars:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, event: Report | str) -> None:
        """Show an event."""
        if isinstance(event, str):
            self._print(event)
            return
        if event.step not in self._tasks:
            task = self._bar.add_task(event.step, total=1.0, figures="")
            self._tasks[event.step] = task, time.monotonic()
        task, begun_s = self._tasks[event.step]
        finished = self._order.finished()
        if event.done >= 1.0 and event.loss is None:  # scored and stored
            self._bar.remove_task(task)
            del self._tasks[event.step]
            self._done.pop(event.step, None)
            took_s = time.monotonic() - begun_s
            self._print(f"{event.step:32} {took_s:4.0f} s  {finished} of {len(self._order.runs)}")
        else:
            self._done[event.step] = min(0.99, event.done)
            loss = "" if event.loss is None else f"loss {event.loss:.3f}"
            self._bar.update(task, completed=event.done, figures=loss)
        self._bar.update(
            self._total, completed=finished + sum(self._done.values()),
            figures=f"{finished} of {len(self._order.runs)}",
        )  # fmt: skip

    def _print(self, line: str) -> None:
        if not self._quiet:
            self._bar.console.print(line, soft_wrap=True)
