"""The grid of what-ifs: planes, frame rates and batches, with and without data movement."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product

import numpy as np
from accelerators import END_TO_END, LIGHT, Accelerator
from costs import gpus, model, per_image_s
from numpy.typing import NDArray

from edgesim.common.errors import InputError
from edgesim.hardware import catalog

SYSTEMS = (LIGHT, END_TO_END)
PLANES = (270, 540, 1080, 2160, 4320)
"""Pixels of a side."""
RATES_HZ = tuple(10.0 ** (half / 2) for half in range(4, 17))
"""Exposures a second, two a decade."""
BATCHES = (1, 4, 16, 64, 256, 1024, 2048, 4096)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Times of a model's image at all settings.

    Attributes:
        model: name in the catalog.
        light_s: (systems, planes, rates, batches); infinite where a layer does not fit the plane.
        gpu_s: (GPUs, batches); infinite where a batch does not fit the memory.
        wall_s: that the accelerators' times took to compute, graph and devices included.
        processor_s: of that, on the processor.
    """

    model: str
    light_s: NDArray[np.float64]
    gpu_s: NDArray[np.float64]
    wall_s: float
    processor_s: float

    @property
    def settings(self) -> int:
        """Accelerators' settings."""
        return self.light_s.size

    @property
    def beaten(self) -> NDArray[np.int64]:
        """How many GPUs are slower, (systems, planes, rates, batches).

        Both may take fewer images at once where they answer more of them a second so.
        """
        light_s = np.minimum.accumulate(self.light_s, axis=-1)
        gpu_s = np.minimum.accumulate(self.gpu_s, axis=-1)
        return (light_s[None] < gpu_s[:, None, None, None, :]).sum(axis=0)


def fill(
    name: str,
    systems: tuple[Accelerator, ...] = SYSTEMS,
    planes: tuple[int, ...] = PLANES,
    rates_hz: tuple[float, ...] = RATES_HZ,
    batches: tuple[int, ...] = BATCHES,
) -> Grid:
    """Return the times of a model of the catalog on a grid of accelerators, and on all GPUs."""
    begun_s, spent_s = time.perf_counter(), time.process_time()
    graph = model(name)
    light_s = np.full((len(systems), len(planes), len(rates_hz), len(batches)), np.inf)
    for (s, system), (p, plane), (r, rate_hz) in product(
        enumerate(systems), enumerate(planes), enumerate(rates_hz)
    ):
        device = system.device(plane, rate_hz)
        try:
            light_s[s, p, r] = [per_image_s(device, graph, batch) for batch in batches]
        except InputError:
            continue  # an image with its guard band is larger than the plane
    wall_s, processor_s = time.perf_counter() - begun_s, time.process_time() - spent_s
    devices = [catalog.device(gpu) for gpu in gpus()]
    gpu_s = np.array([[per_image_s(one, graph, batch) for batch in batches] for one in devices])
    return Grid(model=name, light_s=light_s, gpu_s=gpu_s, wall_s=wall_s, processor_s=processor_s)
