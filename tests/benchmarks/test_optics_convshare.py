"""How fast a trained size of ConvShareViT goes through light, beside torch's own convolutions.

``make bench`` evaluates 1,000 images of 28 x 28 in batches of 100 by the ideal road: the first
time, when it finds its kernels' point spreads, and later. Some images go by the physical road, with
the share of its time that is spent in transforms. As a plain test it takes a few images, so that
the code here stays true. Processor time of one thread is measured; the share is of the operators'
own times as the profiler tells them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from optics.convshare import ConvShareConfig, ConvShareViT, Mixing, shapes
from optics.detection import FieldItself, FourShot
from optics.layers import Bench, convert
from optics.system import FourF
from optics.tiling import plan
from tests.benchmarks import ratios
from tests.benchmarks.scale import FULL

IMAGES, BATCH, ROUNDS = (1000, 100, 3) if FULL else (4, 2, 1)
MIXINGS: tuple[Mixing, ...] = ("shared-valid", "shared-same", "unshared-valid", "unshared-same")
PLANES = ((104, 16), (256, 16), (512, 16)) if FULL else ((104, 1),)


def model_of(mixing: Mixing) -> ConvShareViT:
    """With 17 tokens of 7 x 7 in three blocks, 10 classes."""
    config = ConvShareConfig(
        image=28, patch=7, map=(7, 7), depth=3, heads=7, qkv=mixing, projection=mixing, mlp=mixing
    )
    return ConvShareViT(config, torch.Generator().manual_seed(0)).eval()


def images_of(count: int) -> Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def evaluate(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(batch) for batch in images.split(BATCH)])


@pytest.fixture(autouse=True)
def one_thread() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_ideal_road_beside_torch() -> None:
    images = images_of(IMAGES)
    print(f"\nConvShareViT, 17 tokens of 7x7, 3 blocks; {IMAGES} images in batches of {BATCH}")
    slowest = inf
    for mixing in MIXINGS:
        model = model_of(mixing)
        light = convert(model, Bench(FourF.ideal((2160, 2160))), road="ideal").model
        first = seconds(lambda m=light: evaluate(m, images))  # type: ignore[misc]
        torch.testing.assert_close(evaluate(light, images), evaluate(model, images))
        plain, ideal = (
            min(seconds(lambda m=each: evaluate(m, images)) for _ in range(ROUNDS))  # type: ignore[misc]
            for each in (model, light)
        )
        print(
            f"  {mixing:<15} torch {plain * 1e3:7.0f} ms   ideal road {ideal * 1e3:7.0f} ms, "
            f"{ideal / plain:5.2f} of torch's; the first time "
            f"{first * 1e3:7.0f} ms, {first / plain:5.2f}; wanted: below 3"
        )
        slowest = min(slowest, plain / ideal)
    ratios.check({"slowest ConvShareViT on the ideal road beside torch": slowest})


@pytest.mark.parametrize("scheme", [FieldItself(), FourShot()], ids=lambda scheme: scheme.name)
def test_physical_road_and_its_transforms(scheme: FieldItself | FourShot) -> None:
    model = model_of("shared-valid")
    print(f"\n{scheme.name}; shared valid, 17 tokens of 7x7, 3 blocks")
    for side, count in PLANES:
        images, plane = images_of(count), (side, side)
        frames = sum(
            plan(shape, plane, passes=len(scheme.passes)).frames
            for shape in shapes(model.config, count).values()
        )
        for noise in (False, True) if FULL and scheme.name != "field" else (False,):
            bench = Bench(FourF.ideal(plane), scheme=scheme, noise=noise)
            light = convert(model, bench, road="physical").model
            evaluate(light, images[:1])
            taken = seconds(lambda m=light, x=images: evaluate(m, x))  # type: ignore[misc]
            with profile(activities=[ProfilerActivity.CPU]) as seen:
                evaluate(light, images)
            operators = seen.key_averages()
            every = sum(each.self_cpu_time_total for each in operators)
            transforms = sum(e.self_cpu_time_total for e in operators if "_fft" in e.key)
            assert transforms > 0
            print(
                f"  plane {side:>4}, {'with' if noise else 'without'} noise: {frames:>6} frames, "
                f"{count / taken:6.2f} images/s, {frames / taken:6.0f} frames/s; "
                f"{transforms / every:4.0%} in transforms; wanted: above 70%"
            )
