"""Whole models timed as nodes run them, and how times of one model vary.

In a loop of its own a model finds its weights and its code in the caches, and its times are those
of a node that is never without work. What has to be predicted is a node between messages: so every
model is asked for over gRPC, and its time is what the node tells (``compute_ns``). Pauses between
requests are drawn from a thousandth of a second to a tenth, so that what a rest adds can be told
from what a model takes:

    time = time of the model x (1 + share x (1 - exp(-rest / time of cooling)))
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.profile.child import NODE, Child
from edgesim.errors import EdgesimError
from edgesim.graph import Graph, fingerprint
from edgesim.hardware import Cooling
from edgesim.serve.coordinator.answering import FEATURES, INPUT, LOGITS
from edgesim.serve.coordinator.asking import Input, Lost, ask, question
from edgesim.serve.coordinator.peer import Peer
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import Piece
from edgesim.serve.emulate import graph_of
from edgesim.serve.manifest import FUSION, Entry

Array = NDArray[np.float64]
Told = Callable[[str, int, int], None]
"""Told what is measured, and how far it is; a KeyboardInterrupt that it raises ends it."""

_WARM_UP = 5
_RESTS_S = (1e-3, 0.1)
"""Least and most pause before a request; as many in each tenfold."""
_COOLING_S = (3e-4, 0.3)
"""Bounds of the time of cooling: shorter or longer ones cannot be told from such pauses."""
_DEADLINE_S = 120.0
_VERSION_DIGITS = 12
_LEAST_FIT = 40
"""Executions, below which nothing is said of how they vary."""
STEPS = 21
"""Quantiles of a spread: from the least to the most, a twentieth apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A model whose executions were timed.

    Attributes:
        model: its name, for people.
        graph: its operators.
        batch: samples at once.
        times_s: of every execution.
        rests_s: of the node before each.
    """

    model: str
    graph: Graph
    batch: int
    times_s: Array
    rests_s: Array

    @property
    def operators(self) -> str:
        """Fingerprint of the operators."""
        return fingerprint(self.graph)

    def mean_s(self, cooling: Cooling) -> float:
        """Return the mean time, with what rests added taken off."""
        return float((self.times_s / factors(cooling, self.rests_s)).mean())


async def time_served(
    child: Child,
    label: str,
    entries: Sequence[Entry],
    batches: Sequence[int],
    *,
    runs: int,
    budget_s: float,
    generator: np.random.Generator,
    told: Told,
) -> list[Timed]:
    """Time the models that a node serves, one after another in rounds.

    Args:
        child: the node.
        label: of the artifact.
        entries: of its manifest.
        batches: samples in a request.
        runs: of each model and batch.
        budget_s: after which no further round begins, once there are ten.
        generator: of inputs and pauses.
        told: how far it is.

    Raises:
        EdgesimError: the node does not answer.
    """
    policy = Policy(deadline_s=_DEADLINE_S, tries=1)
    pieces = {one.name: Piece(one.name, NODE, one.sha256[:_VERSION_DIGITS]) for one in entries}
    peer = Peer(NODE, child.address, list(pieces.values()), child.client, policy, time.monotonic)
    cells = [(entry, batch) for batch in batches for entry in entries]
    inputs = [_inputs(entry, batch, generator) for entry, batch in cells]
    times: list[list[float]] = [[] for _ in cells]
    rests: list[list[float]] = [[] for _ in cells]
    heard_s = time.monotonic()
    try:
        if (lacks := await peer.await_ready()) is not None:
            raise EdgesimError(f"the node of the profile is not ready: {lacks}")
        begun_s = time.monotonic()
        for number in range(_WARM_UP + runs):
            told(f"timing {label}", number, _WARM_UP + runs)
            if number >= _WARM_UP + 10 and time.monotonic() - begun_s > budget_s:
                break
            for cell, (entry, batch) in enumerate(cells):
                await asyncio.sleep(float(np.exp(generator.uniform(*np.log(_RESTS_S)))))
                output = LOGITS if entry.name == FUSION else FEATURES
                asked = question(pieces[entry.name], inputs[cell], output, number)
                found = await ask(peer, asked, policy, random.Random(number), time.monotonic)
                if isinstance(found, Lost):
                    raise EdgesimError(f"{entry.name} with {batch} images: {found.reason}")
                if number >= _WARM_UP:
                    times[cell].append(found.compute_s)
                    # Answers take as long on their way after this execution as after the last.
                    rests[cell].append(max(0.0, found.received_s - heard_s - found.compute_s))
                heard_s = found.received_s
    finally:
        await peer.close()
    return [
        Timed(
            model=f"{label} {entry.name}",
            graph=graph_of(entry),
            batch=batch,
            times_s=np.array(found),
            rests_s=np.array(rested),
        )
        for (entry, batch), found, rested in zip(cells, times, rests, strict=True)
    ]


def _inputs(entry: Entry, batch: int, generator: np.random.Generator) -> list[Input]:
    shapes: dict[str, tuple[int, ...]]
    if entry.name == FUSION:
        shapes = {f"{FEATURES}-{part}": (width,) for part, width in enumerate(entry.part_widths)}
    else:
        side = entry.config["image"]
        shapes = {INPUT: (entry.config["channels"], side, side)}
    return [
        Input(
            name,
            (batch, *shape),
            generator.standard_normal((batch, *shape), dtype=np.float32).tobytes(),
        )
        for name, shape in shapes.items()
    ]


def factors(cooling: Cooling, rests_s: Array) -> Array:
    """Return what each of some rests makes of an execution's time."""
    found: Array = 1.0 - cooling.share * np.expm1(-rests_s / cooling.time_s)
    return found


def find_cooling(timed: Sequence[Timed]) -> Cooling:
    """Return what rests add to the times of some models, batch 1 alone.

    Least absolute differences of logarithms, near enough (soft L1), so that an execution which
    something else cut short of a processor counts as one that was late, not as one after a rest.
    """
    from scipy.optimize import least_squares

    chosen = [one for one in timed if one.batch == 1]
    if sum(len(one.times_s) for one in chosen) < _LEAST_FIT:
        return Cooling()
    logs = np.concatenate([np.log(one.times_s) for one in chosen])
    rests_s = np.concatenate([one.rests_s for one in chosen])
    which = np.repeat(np.arange(len(chosen)), [len(one.times_s) for one in chosen])
    first = [float(np.median(np.log(one.times_s))) for one in chosen]

    def left(values: Array) -> Array:
        cooling = Cooling(share=values[0], time_s=float(np.exp(values[1])))
        found: Array = values[2:][which] + np.log(factors(cooling, rests_s)) - logs
        return found

    low, high = np.log(_COOLING_S)
    solved = least_squares(
        left,
        [0.1, np.log(10e-3), *first],
        bounds=([0.0, low, *[-np.inf] * len(first)], [5.0, high, *[np.inf] * len(first)]),
        loss="soft_l1",
        f_scale=0.02,
    )
    return Cooling(share=float(solved.x[0]), time_s=float(np.exp(solved.x[1])))


def spread(timed: Sequence[Timed], cooling: Cooling) -> tuple[float, ...]:
    """Return quantiles of execution times over their model's mean, all models of batch 1 together.

    Straight lines between the quantiles have the mean of what was measured in every twentieth that
    lies at an end: the one slowest of some hundred executions says little of the next hundred's.
    """
    ratios = [
        one.times_s / factors(cooling, one.rests_s) / one.mean_s(cooling)
        for one in timed
        if one.batch == 1
    ]
    pooled = np.sort(np.concatenate(ratios)) if ratios else np.zeros(0)
    if len(pooled) < _LEAST_FIT:
        return ()
    found = np.quantile(pooled, np.linspace(0.0, 1.0, STEPS))
    end = max(1, round(len(pooled) / (STEPS - 1)))
    found[-1] = max(found[-2], 2.0 * pooled[-end:].mean() - found[-2])
    found[0] = min(found[1], max(pooled[0], 2.0 * pooled[:end].mean() - found[1]))
    return tuple(float(f"{one:.4g}") for one in found)
