"""Times pieces of work in interleaved rounds, so that a disturbance affects all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgesim.calibrate.rows import Array

Work = Callable[[], object]
_LEAST_S = 2e-4
"""Shortest measurement: shorter work is repeated within it."""
_MOST_REPEATS = 200


def seconds(work: Work, repeats: int, *, cuda: bool) -> float:
    """Return the mean time of ``repeats`` executions; on a GPU, between events on its stream."""
    if cuda:
        import torch

        event: Callable[..., Any] = torch.cuda.Event
        begun, ended = (event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begun.record()
        for _ in range(repeats):
            work()
        ended.record()
        torch.cuda.synchronize()
        return float(begun.elapsed_time(ended)) * 1e-3 / repeats
    begun_s = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - begun_s) / repeats


def time_all(
    works: Sequence[Work],
    *,
    rounds: int,
    cuda: bool = False,
    once: bool = False,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Array:
    """Time some work in rounds.

    Args:
        works: functions to time.
        rounds: number of rounds.
        cuda: whether the work runs on a GPU.
        once: whether each round executes each function once, so that caches hold code and data of
            other operators, as in a model; else short work is repeated.
        generator: generator of the order in each round.
        progress: called with the measurements done and their number.

    Returns:
        Seconds of one execution, (works, rounds).
    """
    repeats = []
    for work in works:
        work()
        if once:
            repeats.append(1)
            continue
        once_s = min(seconds(work, 1, cuda=cuda) for _ in range(2))
        repeats.append(int(np.clip(np.ceil(_LEAST_S / max(once_s, 1e-9)), 1, _MOST_REPEATS)))
    found = np.zeros((len(works), rounds))
    for number in range(rounds):
        for done, index in enumerate(generator.permutation(len(works))):
            progress(number * len(works) + done, rounds * len(works))
            found[index, number] = seconds(works[index], repeats[index], cuda=cuda)
    return found
