"""A whole profile: what is measured, in which order, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from edgesim.calibrate.profile import limits, machine, messaging, operators, power, roofline
from edgesim.calibrate.profile.child import Child, others, started
from edgesim.calibrate.profile.cooling import Cooled
from edgesim.calibrate.profile.limits import Limits
from edgesim.calibrate.profile.machine import Machine
from edgesim.calibrate.profile.model_artifact import (
    NULL_CLASSES,
    write_model,
    write_null_artifact,
)
from edgesim.calibrate.profile.operators import Sample
from edgesim.calibrate.profile.options import ProfileOptions
from edgesim.calibrate.profile.roofline import Roofline
from edgesim.calibrate.profile.served import Progress, Timed, find_cooling, spread, time_served
from edgesim.calibrate.profile.timing import time_all
from edgesim.calibrate.rows import Array

_SIDES = (8, 128, 384)
_PARTS = 4
_RATE_PER_S = 40.0
_POWER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: of operators.
        runs: of each model.
        budget_s: for the models of an artifact.
        shapes: of requests for messages: parts, side of the image, rate.
        repeats: of each shape.
        requests: in each.
    """

    rounds: int
    runs: int
    budget_s: float
    shapes: tuple[tuple[int, int, float], ...]
    repeats: int
    requests: int


_WHOLE = Effort(
    rounds=40,
    runs=400,
    budget_s=60.0,
    shapes=(
        *((1, 8, rate_per_s) for rate_per_s in (10.0, 20.0, 80.0, 160.0, inf)),
        *((parts, side, _RATE_PER_S) for parts in (1, 2, 3, 4) for side in _SIDES),
    ),
    repeats=3,
    requests=80,
)
_QUICK = Effort(
    rounds=9,
    runs=72,
    budget_s=8.0,
    shapes=(
        *((1, 8, 15.0), (1, 8, 100.0), (1, 8, inf)),
        *((parts, 8, _RATE_PER_S) for parts in (1, 2, 4)),
        *((1, side, _RATE_PER_S) for side in _SIDES[1:]),
        (4, _SIDES[-1], _RATE_PER_S),
    ),
    repeats=2,
    requests=20,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watts:
    """Draw of the machine.

    Attributes:
        idle_w: while nothing of ours runs.
        busy_w: while the processors that a node uses multiply matrices.
        source: measurement that they are from.
    """

    idle_w: float
    busy_w: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was found.

    Attributes:
        options: what was asked for.
        machine: where.
        limits: peak and bandwidth.
        operators: operators that were timed.
        times_s: median time of each operator, in seconds.
        roofline: that was fitted to them.
        timed: whole models.
        cooled: what rests add to them, and their times without.
        spread: how their times vary.
        messages: what messages cost.
        watts: draw; None where nothing tells it.
        rounds: that operators were timed in.
        requests: of each shape that messages were measured with.
        wall_s: that it all took.
    """

    options: ProfileOptions
    machine: Machine
    limits: Limits
    operators: tuple[Sample, ...]
    times_s: Array
    roofline: Roofline
    timed: tuple[Timed, ...]
    cooled: Cooled
    spread: tuple[float, ...]
    messages: messaging.Fit
    watts: Watts | None
    rounds: int
    requests: int
    wall_s: float


def measure(options: ProfileOptions, progress: Progress) -> Profile:
    """Measure this machine.

    Args:
        options: what, and how much.
        progress: called with what is measured and how far it is; a KeyboardInterrupt that it raises
            ends all, and nothing is left.

    Raises:
        InputError: an artifact is none.
        EdgesimError: a node cannot be started, or fails.
    """
    import torch

    begun_s = time.perf_counter()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    effort = _QUICK if options.quick else _WHOLE
    torch.set_num_threads(options.threads)
    where = machine.find_machine(options.device, options.cpus)
    with tempfile.TemporaryDirectory(prefix="edgesim-profile-") as name:
        folder = Path(name)
        with _on(options.cpus):
            progress("limits", 0, 1)
            watts = _watts(options, progress)
            found_limits = limits.measure(options.device, options.precision, rounds=effort.rounds)
            samples = operators.samples(options.device, options.precision)
            times_s = _time_operators(samples, options, effort, progress)
        found_roofline = roofline.fit(
            samples,
            times_s,
            peak_flop_s=found_limits.peak_flop_s,
            bandwidth_byte_s=found_limits.bandwidth_byte_s,
            precision=options.precision,
        )
        (folder / "node").mkdir()
        progress("starting a node", 0, 1)
        with (
            started(
                folder / "node",
                threads=options.threads,
                cpus=options.cpus,
                plain=options.plain,
            ) as child,
            _on(others(machine.usable(), options.cpus)),
        ):
            messages = _messages(child, folder, effort, progress)
            timed = _timed(child, folder, options, effort, progress)
    cooled = find_cooling(timed)
    return Profile(
        options=options,
        machine=where,
        limits=found_limits,
        operators=tuple(samples),
        times_s=times_s,
        roofline=found_roofline,
        timed=tuple(timed),
        cooled=cooled,
        spread=spread(timed, cooled),
        messages=messages,
        watts=watts,
        rounds=effort.rounds,
        requests=effort.repeats * effort.requests,
        wall_s=time.perf_counter() - begun_s,
    )


@contextlib.contextmanager
def _on(cpus: frozenset[int] | None) -> Iterator[None]:
    """Keep this thread, and those that it starts, on some processors for a while."""
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _time_operators(
    samples: Sequence[Sample], options: ProfileOptions, effort: Effort, progress: Progress
) -> Array:
    """Return the median time of each operator, in seconds."""
    import torch

    with torch.inference_mode():
        rounds_s = time_all(
            [one.run for one in samples],
            rounds=effort.rounds,
            cuda=options.device == "cuda",
            once=True,
            generator=np.random.default_rng(0),
            progress=lambda done, total: progress("timing operators", done, total),
        )
    return np.asarray(np.median(rounds_s, axis=1))


def _messages(child: Child, folder: Path, effort: Effort, progress: Progress) -> messaging.Fit:
    numbers = write_null_artifact(folder / "null", _SIDES, _PARTS)
    asyncio.run(child.give(folder / "null"))
    rows = messaging.rounds(
        child,
        folder / "null",
        numbers,
        shapes=effort.shapes,
        repeats=effort.repeats,
        requests=effort.requests,
        classes=NULL_CLASSES,
        progress=progress,
    )
    return messaging.fit(rows)


def _timed(
    child: Child, folder: Path, options: ProfileOptions, effort: Effort, progress: Progress
) -> list[Timed]:
    generator = np.random.default_rng(0)
    found: list[Timed] = []
    if options.artifact is not None:
        label = options.artifact.resolve().name
        found += _time(child, options.artifact, label, options, effort, generator, progress)
    for name in options.models or ():
        write_model(folder / name, name)
        timed = _time(child, folder / name, name, options, effort, generator, progress)
        # The one layer that stands in for a fusion is no model.
        found += timed[: len(options.batches)]
    return found


def _time(
    child: Child,
    artifact: Path,
    label: str,
    options: ProfileOptions,
    effort: Effort,
    generator: np.random.Generator,
    progress: Progress,
) -> Sequence[Timed]:
    manifest = asyncio.run(child.give(artifact))
    entries = list(manifest.entries.values())
    if label in (options.models or ()):
        entries = entries[:1]
    return asyncio.run(
        time_served(
            child,
            label,
            entries,
            options.batches,
            runs=effort.runs,
            budget_s=effort.budget_s,
            generator=generator,
            progress=progress,
        )
    )


def _watts(options: ProfileOptions, progress: Progress) -> Watts | None:
    """Return the draw that was given, or that a meter measures."""
    if options.power is not None:
        return Watts(
            idle_w=options.power[0], busy_w=options.power[1], source="given by hand, not measured"
        )
    meter = power.find_meter(options.device)
    if meter is None:
        return None
    import torch

    span_s = _POWER_S / 3 if options.quick else _POWER_S
    with power.reading(meter) as idle:
        time.sleep(span_s)
    side = 1024
    left = torch.randn(side, side, device=options.device)
    with power.reading(meter) as busy:
        until_s = time.monotonic() + span_s
        while time.monotonic() < until_s:
            progress("power", 0, 1)
            torch.matmul(left, left)
            if options.device == "cuda":
                torch.cuda.synchronize()
    return Watts(
        idle_w=idle.mean_w,
        busy_w=max(idle.mean_w, busy.mean_w),
        source=f"{meter.name}, mean over {span_s:g} s; busy multiplies matrices, "
        f"{options.threads} thread(s)",
    )
