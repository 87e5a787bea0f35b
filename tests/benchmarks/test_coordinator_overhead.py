"""What the coordinator costs beside a bare fan-out of the same shape over the same gRPC.

Both ask one process that answers at once with the same bytes: five parts all at once, and then the
fusion, over connections and TLS of the same kind, with messages of the same sizes. They take turns,
so that what else the machine does meets both. The processor time is that of this process, gRPC's
threads included; the time on a clock is that of a request with no other beside it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgesim import api
from edgesim.serve.access import Access, open_channel, read_access
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import run_replication
from edgesim.serve.coordinator.work import Input, Work, find_work, infer_request
from edgesim.serve.services import FEATURES, INPUT, LOGITS, MODEL_INFER
from edgesim.simulate import Outcome
from tests.benchmarks.null_nodes import null_nodes
from tests.benchmarks.scale import FULL
from tests.edgesim.serve.cluster import fresh_keys, scenario

TURNS = 9 if FULL else 2
REQUESTS = 600 if FULL else 60
WARM_UP = 100 if FULL else 10
FEATURES_WIDTH, CLASSES = 24, 10
MOST = 1.5
"""Times the bare fan-out; the few requests of a plain test are too few to hold a ratio to."""
POLICY = Policy(deadline_s=60.0)


@dataclass(frozen=True)
class Cost:
    """Of one request, in seconds: on a processor, and on a clock (the median)."""

    processor_s: float
    clock_s: float


class Meter:
    """Told of every end, it reads the clocks; the first requests only warm up."""

    def __init__(self) -> None:
        self._ends_s: list[float] = []
        self._processor_s = 0.0

    def __call__(self, *ended: object) -> None:
        self._ends_s.append(time.perf_counter())
        if len(self._ends_s) in (WARM_UP, WARM_UP + REQUESTS):
            self._processor_s = time.process_time() - self._processor_s

    def cost(self) -> Cost:
        times_s = np.diff(self._ends_s[WARM_UP - 1 :])
        assert len(times_s) == REQUESTS
        return Cost(self._processor_s / REQUESTS, float(np.median(times_s)))


def bare(access: Access, work: Work, pixels: np.ndarray) -> Cost:
    """Ask with messages that are there already, and do nothing with the answers."""
    image = Input(INPUT, pixels.shape, pixels.tobytes())
    asked = [infer_request(piece, (image,), FEATURES, 0) for piece in work.parts]
    features = np.zeros(FEATURES_WIDTH, "<f4").tobytes()
    given = [
        Input(f"{FEATURES}-{part}", (1, FEATURES_WIDTH), features)
        for part in range(len(work.parts))
    ]
    fused = infer_request(work.fusion, given, LOGITS, 0)
    meter = Meter()

    async def run() -> None:
        channels = [
            open_channel(work.addresses[piece.node], access, own_connection=True)
            for piece in work.pieces
        ]
        *parts, fusion = [MODEL_INFER.on(channel) for channel in channels]
        for _ in range(WARM_UP + REQUESTS):
            await asyncio.gather(*(ask(one) for ask, one in zip(parts, asked)))
            await fusion(fused)
            meter()
        for channel in channels:
            await channel.close()

    asyncio.run(run())
    return meter.cost()


def coordinated(access: Access, work: Work, file: Path, pixels: np.ndarray) -> Cost:
    """Play a scenario."""
    meter = Meter()
    requests = f"traffic={{arrivals: closed, requests: {WARM_UP + REQUESTS}}}"
    played = api.load(file, overrides=[requests])
    found = run_replication(
        work, played.cluster, played.traffic, Images(pixels, np.zeros(1, np.int64)), access, POLICY,
        seed=7, seen=meter,
    )  # fmt: skip
    assert (found.recording.outcome == Outcome.COMPLETED).all()
    return meter.cost()


def test_cost_of_the_coordinator_beside_a_bare_fan_out(tmp_path: Path) -> None:
    keys = fresh_keys(tmp_path / "keys")
    access = read_access(keys / "client", plain=False)
    pixels = np.random.default_rng(7).standard_normal((1, 1, 32, 32), dtype=np.float32)
    names = ("hub", *(f"pi-{number}" for number in range(5)))
    with null_nodes(keys / "localhost", len(names), FEATURES_WIDTH, CLASSES) as addresses:
        file = scenario(tmp_path / "scenario.yaml", dict(zip(names, addresses)))
        found = api.load(file)
        work = find_work(found, api.place(found))
        assert len(work.addresses) == len(names)
        turns = [
            (bare(access, work, pixels), coordinated(access, work, file, pixels))
            for _ in range(TURNS)
        ]
    print(f"\nFive parts and their fusion, mutual TLS: {TURNS} turns of {REQUESTS} requests each")
    ratios = {}
    for what, told in (("processor_s", "processor time"), ("clock_s", "time on a clock")):
        costs = [(getattr(one, what), getattr(two, what)) for one, two in turns]
        plain, ours = map(statistics.median, zip(*costs))
        ratios[what] = statistics.median(two / one for one, two in costs)
        print(f"  {told}: coordinator {ours * 1e3:.3f} ms, bare {plain * 1e3:.3f} ms a request")
        print(f"  {'':{len(told)}}  ratio {ratios[what]:.2f}")
    if FULL:
        assert max(ratios.values()) < MOST
