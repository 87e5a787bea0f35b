"""How fast a small CNN trains through light, beside the same by torch's own convolutions.

``make bench`` trains two convolutions on batches of 64 random images of 28 x 28, through two
exposures of a camera with noise, and prints steps and images a second of each road, on one thread;
as a plain test it takes one step of a small batch, so that the code here stays true.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from optics.detection import TwoShot
from optics.layers import Bench, calibrate, convert, time_model
from optics.system import FourF
from tests.benchmarks import ratios
from tests.benchmarks.scale import FULL

BATCH, STEPS = (64, 10) if FULL else (4, 1)
PLANE = 256


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 49, 10),
    )  # fmt: skip


def step_s(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the median time of a training step."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    taken = []
    for _ in range(STEPS + 1):
        begin = time.perf_counter()
        optimiser.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:])


@pytest.mark.filterwarnings("ignore::optics.layers.SaturationWarning")
def test_training_rate_of_a_small_cnn() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 1, 28, 28, generator=generator)
    labels = torch.randint(10, (BATCH,), generator=generator)
    system = FourF.ideal((PLANE, PLANE))
    camera = replace(system.camera, full_well_e=1e4, bits=10, read_noise_e=5.0, exposure_s=1e-3)
    system = replace(system, camera=camera)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = {"torch.nn.Conv2d": step_s(network(), images, labels)}
        exposures = 0
        for road in ("ideal", "physical"):
            model = convert(network(), Bench(system, scheme=TwoShot()), road=road).model  # type: ignore[arg-type]
            if road == "physical":
                calibrate(model, images[:8])
                exposures = time_model(model, images).exposures
            found[f"{road} road"] = step_s(model, images, labels)
            assert all(torch.isfinite(p).all() for p in model.parameters())
    finally:
        torch.set_num_threads(threads)
    print(
        f"\nCNN of two convolutions, {BATCH} images of 28 x 28, plane {PLANE} x {PLANE}, "
        f"{exposures} exposures forward, one thread"
    )
    for name, seconds in found.items():
        print(
            f"  {name:<16} {1 / seconds:8.2f} steps/s {BATCH / seconds:10.0f} images/s   "
            f"{seconds / found['torch.nn.Conv2d']:6.1f} of torch's time"
        )
    torchs_s = found["torch.nn.Conv2d"]
    ratios.check(
        {
            "training step on the ideal road beside torch's": torchs_s / found["ideal road"],
            "training step on the physical road beside torch's": torchs_s / found["physical road"],
        }
    )
