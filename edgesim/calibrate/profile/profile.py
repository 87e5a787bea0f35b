"""A whole profile: what is measured, in which order, and its result."""

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
from edgesim.calibrate.profile.model_artifact import write_model, write_null_artifact
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
    """Amount of measurement.

    Attributes:
        rounds: rounds of operators.
        runs: executions of each model.
        budget_s: time limit for the models of an artifact, in seconds.
        shapes: shapes of requests for messages: parts, side of the image, rate.
        repeats: rounds of each shape.
        requests: requests of each shape in a round.
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
    """Power of the machine.

    Attributes:
        idle_w: power while the profile runs nothing, in watts.
        busy_w: power while the processors of a node multiply matrices, in watts.
        source: description of the measurement.
    """

    idle_w: float
    busy_w: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A measured machine.

    Attributes:
        options: options of the command.
        machine: description of the machine.
        limits: peak and bandwidth.
        operators: operators that were timed.
        times_s: median time of each operator, in seconds.
        roofline: roofline that was fitted to them.
        timed: executions of whole models.
        cooled: effect of idle periods on them, and their times without.
        spread: quantiles of their times over the mean.
        messages: cost of messages.
        watts: power; None where no meter measures it.
        rounds: rounds in which operators were timed.
        requests: requests of each shape for the cost of messages.
        wall_s: duration of the profile, in seconds.
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
        options: options of the command.
        progress: progress report; a KeyboardInterrupt that it raises ends the profile, and nothing
            is left behind.

    Raises:
        InputError: the folder of the artifact is none.
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
        with _pinned(options.cpus):
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
            _pinned(others(machine.usable(), options.cpus)),
        ):
            messages = _messages(child, folder, effort, progress)
            timed = _time_models(child, folder, options, effort, progress)
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
def _pinned(cpus: frozenset[int] | None) -> Iterator[None]:
    """Pin this thread, and those that it starts, to some processors within the block."""
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
    asyncio.run(child.deploy(folder / "null"))
    rows = messaging.rounds(
        child,
        folder / "null",
        numbers,
        shapes=effort.shapes,
        repeats=effort.repeats,
        requests=effort.requests,
        progress=progress,
    )
    return messaging.fit(rows)


def _time_models(
    child: Child, folder: Path, options: ProfileOptions, effort: Effort, progress: Progress
) -> list[Timed]:
    """Time the parts and the fusion of the artifact, and each whole model."""
    generator = np.random.default_rng(0)
    artifacts: list[tuple[Path, int | None]] = []
    if options.artifact is not None:
        artifacts.append((options.artifact.resolve(), None))
    for name in options.models or ():
        write_model(folder / name, name)
        # Its second entry, one layer, only takes the place of a fusion.
        artifacts.append((folder / name, 1))
    found: list[Timed] = []
    for artifact, count in artifacts:
        manifest = asyncio.run(child.deploy(artifact))
        found += asyncio.run(
            time_served(
                child,
                artifact.name,
                list(manifest.entries.values())[:count],
                options.batches,
                runs=effort.runs,
                budget_s=effort.budget_s,
                generator=generator,
                progress=progress,
            )
        )
    return found


def _watts(options: ProfileOptions, progress: Progress) -> Watts | None:
    """Return the power that was given, or that a meter measures."""
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
