"""The physical road beside the bare transforms that it has to do.

``make bench`` prints medians of five rounds; as a plain test each is run once, on less. Processor
time of this thread is measured, so that other processes do not count as long as they share no
cache. The bare transforms are those of every image shown, every filter made and every frame that
meets both, plane by plane, all in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from math import inf

import torch

from optics.detection import TwoShot
from optics.physical import Bench, Geometry, Sampling, physical_convolution
from optics.system import FourF
from optics.tiling import ConvShape, plan
from tests.benchmarks import ratios
from tests.benchmarks.scale import FULL

ROUNDS = 5 if FULL else 1
LAYER = {"images": (8, 16, 32, 32), "weight": (16, 16, 3, 3)}
CASES = (
    (256, Sampling()),
    (512, Sampling()),
    (256, Sampling(filter=2)),
    (512, Sampling(filter=2)),
    (256, Sampling.squares("filter")),
)


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def test_frames_beside_their_bare_transforms() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        print(f"\nlayer 16 to 16 channels, 32x32, kernel 3, batch 8; median of {ROUNDS}")
        print("  plane  samples  frames  transforms   bare ms   road ms  with noise  ratio  noise")
        slowest = inf
        for side, sampling in CASES if FULL else CASES[:1]:
            frames, transforms, bare, road, noisy = beside(side, sampling)
            print(
                f"  {side:>5}  {sampling.input} x {sampling.filter}  {frames:>8}  {transforms:>10}"
                f"  {bare * 1e3:>8.0f}  {road * 1e3:>8.0f}  {noisy * 1e3:>10.0f}"
                f"  {road / bare:>5.2f}  {noisy / bare:>5.2f}"
            )
            slowest = min(slowest, bare / road)
    finally:
        torch.set_num_threads(threads)
    ratios.check({"slowest physical layer on light beside its bare transforms": slowest})


def beside(side: int, sampling: Sampling) -> tuple[int, int, float, float, float]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(LAYER["images"], generator=generator)
    weight = torch.randn(LAYER["weight"], generator=generator)
    system, scheme = FourF.ideal((side, side)), TwoShot()
    shape = ConvShape.of(images.shape, weight.shape, padding=1)
    layout = plan(shape, (side, side), passes=len(scheme.passes))
    samples = Geometry.of(system, layout.plane, sampling).side

    def work(noise: bool) -> object:
        with torch.no_grad():
            return physical_convolution(
                images,
                weight,
                padding=1,
                bench=Bench(system, scheme=scheme, sampling=sampling, noise=noise, max_bytes=2**30),
                layout=layout,
                generator=generator,
            )

    groups, channels, batches, kernels = layout.rounds
    filters = groups * channels * kernels * 2
    # Where input pixels are squares too, filters take two more: to the impulse response, where
    # their pixels' shape fades it, and back.
    each = 3 if sampling.filter > 1 and sampling.input > 1 else 1
    transforms = groups * channels * batches + filters * each
    transforms += layout.frames
    planes = torch.randn(min(transforms, 64), samples, samples, dtype=torch.complex64)

    def transform() -> None:
        for index in range(transforms):
            torch.fft.fft2(planes[index % len(planes)])

    work(False)
    taken: dict[str, list[float]] = {"bare": [], "road": [], "noisy": []}
    for _ in range(ROUNDS):
        taken["bare"].append(seconds(transform))
        taken["road"].append(seconds(lambda: work(False)))
        taken["noisy"].append(seconds(lambda: work(True)))
    bare, road, noisy = (statistics.median(times) for times in taken.values())
    return layout.frames, transforms, bare, road, noisy
