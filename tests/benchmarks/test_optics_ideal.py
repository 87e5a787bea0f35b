"""How fast the ideal layer is beside the bare Fourier product, and what memory it takes.

``make bench`` times 16 to 16 channels, 32 x 32, a kernel of 3, a batch of 8, 200 times in turns on
one thread, and prints the time that a tenth of the runs stay below, which other work on the machine
disturbs least, and ratios; as a plain test it runs a few times, so that the code here stays true.
Memory is told twice: by the allocator's own events, and as the peak of resident memory that the
system counts for a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from optics.layers import Bench, OpticalConv2d
from optics.presets import preset
from optics.system import FourF
from optics.tiling import ConvShape
from optics.timing import time_network
from tests.benchmarks import ratios
from tests.benchmarks.scale import FULL

ROUNDS = 200 if FULL else 5
SYSTEM = FourF.ideal((2160, 2160))
MIB = 2**20


def bare(weight: Tensor, side: int) -> Callable[[Tensor], Tensor]:
    """Return the product by cached spectra and nothing else: transform, multiply, transform back.

    The sum over channels is a batched matrix product over frequencies, several times faster than
    ``einsum`` on the planes; no bias, no check, no stride.
    """
    spectra = torch.fft.rfft2(weight, s=(side, side)).conj().flatten(2).permute(2, 1, 0)
    spectra = spectra.resolve_conj().contiguous()

    def run(images: Tensor) -> Tensor:
        inputs = torch.fft.rfft2(images, s=(side, side))
        summed = torch.bmm(inputs.flatten(2).permute(2, 0, 1).contiguous(), spectra)
        planes = summed.permute(1, 2, 0).unflatten(2, inputs.shape[-2:])
        return torch.fft.irfft2(planes, s=(side, side))

    return run


def tenths_s(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the time that a tenth of the runs of each stay below, measured in turns."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(ROUNDS + 3):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if round_ >= 3:
                taken[name].append(time.perf_counter() - begin)
    return {name: statistics.quantiles(times, n=10)[0] for name, times in taken.items()}


def test_ideal_layer_beside_the_bare_product() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 16, 32, 32, generator=generator)
    layer = OpticalConv2d(16, 16, 3, padding=1, bench=Bench(SYSTEM), road="ideal")
    torchs = nn.Conv2d(16, 16, 3, padding=1)
    torchs.load_state_dict(layer.state_dict())
    one, other = bare(layer.weight.detach(), 34), bare(layer.weight.detach(), 36)
    # Both compute the same: the bare product's first pixels are the valid convolution.
    with torch.no_grad():
        expected = torchs(images) - layer.bias[:, None, None]  # type: ignore[index]
        for run in (one, other):
            torch.testing.assert_close(
                run(images)[..., :30, :30], expected[..., 1:-1, 1:-1], rtol=0, atol=1e-4
            )
        torch.testing.assert_close(layer(images), torchs(images), rtol=0, atol=1e-4)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            forward = tenths_s(
                {
                    "bare product, 34 x 34": lambda: one(images),
                    "bare product, 36 x 36": lambda: other(images),
                    "ideal layer": lambda: layer(images),
                    "torch.nn.Conv2d": lambda: torchs(images),
                }
            )
        both = tenths_s(
            {
                "ideal layer": lambda: layer(images).sum().backward(),
                "torch.nn.Conv2d": lambda: torchs(images).sum().backward(),
            }
        )
    finally:
        torch.set_num_threads(threads)
    base = min(forward["bare product, 34 x 34"], forward["bare product, 36 x 36"])
    print(f"\n16 to 16 channels, 32 x 32, kernel 3, batch 8, one thread, first tenth of {ROUNDS}")
    for name, seconds in forward.items():
        print(f"  {name:<24} {seconds * 1e3:7.3f} ms   {seconds / base:5.2f} of the bare product")
    for name, seconds in both.items():
        print(f"  {name + ', training':<24} {seconds * 1e3:7.3f} ms   {seconds / base:5.2f}")
    print(f"  the ideal layer takes {forward['ideal layer'] / base:.2f} of the product; wanted: 2")
    ratios.check(
        {
            "ideal layer on light beside the bare product": base / forward["ideal layer"],
            "training of the ideal layer beside torch's": both["torch.nn.Conv2d"]
            / both["ideal layer"],
        }
    )


LAYER = "OpticalConv2d(64, 64, 5, padding=2, bias=False, road='ideal', bench=Bench(FourF.ideal()"
BATCH, SIDE = (32, 64) if FULL else (8, 32)

CHILD = f"""
import torch
from optics.layers import Bench, OpticalConv2d
from optics.system import FourF

def resident(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

torch.set_num_threads(1)
images = torch.ones({BATCH}, 64, {SIDE}, {SIDE})
with torch.no_grad():
    {LAYER}))(images[:1])
    layer = {LAYER}, max_bytes=BOUND))
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    kept = layer(images)
    print(resident("VmHWM") - before)
"""


@pytest.mark.parametrize("bound", [16 * MIB, 64 * MIB, 256 * MIB] if FULL else [16 * MIB])
def test_memory_of_the_ideal_layer(bound: int) -> None:
    images = torch.ones(BATCH, 64, SIDE, SIDE)
    layer = OpticalConv2d(
        64, 64, 5, padding=2, bias=False, bench=Bench(FourF.ideal(), max_bytes=bound), road="ideal"
    )
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        layer(images)
    held = most = 0
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]  # type: ignore[union-attr]
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    result = 4 * BATCH * 64 * SIDE * SIDE
    everything = 8 * BATCH * 64 * 64 * (SIDE + 4) * (SIDE // 2 + 3)
    assert most <= result + bound

    child = subprocess.run(
        [sys.executable, "-c", CHILD.replace("BOUND", str(bound))],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    print(
        f"\n64 to 64 channels, {SIDE} x {SIDE}, kernel 5, batch {BATCH}: bound "
        f"{bound / MIB:.0f} MiB beside a result of {result / MIB:.1f} MiB; all products at once "
        f"{everything / MIB:.0f} MiB\n  allocator's peak less the result "
        f"{(most - result) / MIB:.1f} MiB, resident peak less the result "
        f"{(int(child.stdout) - result) / MIB:.1f} MiB"
    )


def test_what_if_grid_of_the_timing() -> None:
    shapes = [
        ConvShape(batch=32, in_channels=64, out_channels=64, size=(side, side), kernel=(3, 3))
        for side in range(8, 58)
    ]
    begin = time.perf_counter()
    count = 0
    for name, shape, along in product(("fatnet-2160", "lcos-pluto"), shapes, (("images",), None)):
        for passes in (1, 2, 3, 4, 8) if FULL else (1, 2):
            time_network(preset(name), [shape], along=along, passes=passes)  # type: ignore[arg-type]
            count += 1
    print(f"\n{count} settings of timing and energy in {time.perf_counter() - begin:.2f} s")
