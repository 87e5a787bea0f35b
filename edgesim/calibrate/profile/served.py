"""Times whole models as nodes run them, and describes how times of one model vary.

In a loop of its own a model finds its weights and its code in the caches, and its times are those
of a node that is never idle. What has to be predicted is a node between messages, so every model is
requested over gRPC, and its time is the one that the node reports: with one thread its processor
time (``processor_ns``), which excludes other work of the processor, such as the node's own
messages; with several threads the elapsed time (``compute_ns``). Pauses between requests are drawn
from 1 ms to 100 ms, and every third request is sent twice at once, so that the second execution
follows without an idle period. This separates the effect of idle periods from the model's own time:

    time = time of the model x (1 + share x (1 - exp(-rest / time of cooling)))
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgesim.calibrate.profile import cooling
from edgesim.calibrate.profile.child import NODE, Child
from edgesim.calibrate.profile.cooling import Cooled, Rested
from edgesim.calibrate.rows import Array
from edgesim.common.errors import EdgesimError
from edgesim.graph import Graph, fingerprint
from edgesim.hardware import Cooling
from edgesim.serve.coordinator.asking import Failure, ask
from edgesim.serve.coordinator.peer import Peer
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replies import Reply
from edgesim.serve.coordinator.work import Input, Piece, infer_request
from edgesim.serve.manifest import Entry
from edgesim.serve.models import graph_of
from edgesim.serve.services import FEATURES, INPUT, LOGITS
from edgesim.simulate.recovery import Retry
from partition.schema import FUSION, FusionEntry

Progress = Callable[[str, int, int], None]
"""Progress report: name of the step, parts done, all parts; it may raise KeyboardInterrupt."""

_VISIT = 8
"""Consecutive executions of a model, after one that does not count."""
_PAIRED = 3
"""Of so many consecutive requests, one is sent twice at once."""
_QUEUED_S = 2e-4
"""Queue time above which a request waited for another execution: more than a thread's waking."""
_RESTS_S = (1e-3, 0.1)
"""Bounds of the pause before a request, in seconds; log-uniform between them."""
_DEADLINE_S = 120.0
_LEAST_SPREAD = 200
"""Fewest executions from which a spread is estimated."""
STEPS = 21
"""Number of quantiles of a spread, from 0 to 1 at equal steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A model whose executions were timed.

    Attributes:
        model: name of the model.
        graph: operators of the model.
        batch: samples of an execution.
        times_s: time of every execution, in seconds.
        rests_s: idle period before each execution, in seconds.
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


async def time_served(
    child: Child,
    label: str,
    entries: Sequence[Entry],
    batches: Sequence[int],
    *,
    runs: int,
    budget_s: float,
    generator: np.random.Generator,
    progress: Progress,
) -> list[Timed]:
    """Time the models that a node serves, one after another in rounds.

    Args:
        child: node process.
        label: name of the artifact.
        entries: entries of its manifest.
        batches: numbers of samples in a request.
        runs: least number of executions of each model and batch.
        budget_s: time after which no further round begins, in seconds.
        generator: generator of inputs and pauses.
        progress: progress report.

    Raises:
        EdgesimError: the node does not answer.
    """
    policy = Policy(deadline_s=_DEADLINE_S, retry=Retry(attempts=1))
    pieces = {one.name: Piece.of(one.name, NODE, one.model, one.sha256) for one in entries}
    peer = Peer(NODE, child.address, list(pieces.values()), child.client, policy, time.monotonic)
    cells = [(entry, batch) for batch in batches for entry in entries]
    inputs = [_inputs(entry, batch, generator) for entry, batch in cells]
    times: list[list[float]] = [[] for _ in cells]
    rests: list[list[float]] = [[] for _ in cells]
    try:
        if (missing := await peer.await_ready()) is not None:
            raise EdgesimError(f"the node of the profile is not ready: {missing}")
        begun_s = time.monotonic()
        visits = math.ceil(runs / _VISIT)
        for visit in range(1 + visits):
            progress(f"timing {label}", visit, 1 + visits)
            if visit * _VISIT > 10 and time.monotonic() - begun_s > budget_s:
                break
            for cell, (entry, batch) in enumerate(cells):
                output = LOGITS if entry.name == FUSION else FEATURES
                answered_s = math.nan
                for number in range(1 + _VISIT):
                    await asyncio.sleep(float(np.exp(generator.uniform(*np.log(_RESTS_S)))))
                    piece = pieces[entry.name]
                    asked = infer_request(piece, inputs[cell], output, number)
                    at_once = 2 if number % _PAIRED == 0 else 1
                    found = await asyncio.gather(
                        *(
                            ask(peer, asked, piece.width, policy, random.Random(number))
                            for _ in range(at_once)
                        )
                    )
                    for one in sorted(found, key=_end_s):
                        if isinstance(one, Failure):
                            raise EdgesimError(f"{entry.name} with {batch} images: {one.reason}")
                        if visit and number:
                            single = child.threads == 1
                            times[cell].append(one.processor_s if single else one.compute_s)
                            # Each answer takes equally long to arrive.
                            rested_s = one.received_s - answered_s - one.compute_s
                            rests[cell].append(
                                0.0 if one.queue_s > _QUEUED_S else max(0.0, rested_s)
                            )
                        answered_s = one.received_s
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


def _end_s(one: Reply | Failure) -> float:
    return one.received_s if isinstance(one, Reply) else one.given_up_s


def _inputs(entry: Entry, batch: int, generator: np.random.Generator) -> list[Input]:
    shapes: dict[str, tuple[int, ...]]
    if isinstance(entry.model, FusionEntry):
        widths = entry.model.part_widths
        shapes = {f"{FEATURES}-{part}": (width,) for part, width in enumerate(widths)}
    else:
        config = entry.model.config
        shapes = {INPUT: (config.channels, *config.size)}
    return [
        Input(
            name,
            (batch, *shape),
            generator.standard_normal((batch, *shape), dtype=np.float32).tobytes(),
        )
        for name, shape in shapes.items()
    ]


def find_cooling(timed: Sequence[Timed]) -> Cooled:
    """Return the effect of idle periods on some models, and each model's time without them."""
    if not timed:
        return Cooled(cooling=Cooling(), hot_s=(), ratios=())
    return cooling.fit([Rested(one.rests_s, one.times_s) for one in timed])


def spread(timed: Sequence[Timed], cooled: Cooled) -> tuple[float, ...]:
    """Return quantiles of execution times over their model's mean, all models of batch 1 together.

    The outermost quantiles are set so that the first and the last twentieth have the measured mean:
    the slowest of some hundred executions predicts little about the next hundred.
    """
    ratios = [ratio for one, ratio in zip(timed, cooled.ratios, strict=True) if one.batch == 1]
    pooled = np.sort(np.concatenate(ratios)) if ratios else np.zeros(0)
    if len(pooled) < _LEAST_SPREAD:
        return ()
    found = np.quantile(pooled, np.linspace(0.0, 1.0, STEPS))
    end = max(1, round(len(pooled) / (STEPS - 1)))
    found[-1] = max(found[-2], 2.0 * pooled[-end:].mean() - found[-2])
    found[0] = min(found[1], max(pooled[0], 2.0 * pooled[:end].mean() - found[1]))
    return tuple(float(f"{one:.4g}") for one in found)
