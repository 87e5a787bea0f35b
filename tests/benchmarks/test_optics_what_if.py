"""How long one what-if of a 4f accelerator takes, beside what it consists of.

``make bench`` fills a grid of 1,040 accelerators that run ConvShareViT, and prints its time, by the
clock and on the processor, and that of one setting beside one plan that is not known yet and beside
a graphics card's time of the same model; as a plain test it fills a small grid.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from edgesim.graph import zoo
from edgesim.hardware import catalog
from optics.tiling import ConvShape, plan
from tests.benchmarks.scale import FULL
from tests.edgesim.command import ROOT, environment

FOLDER = ROOT / "examples" / "optics-beside-gpus"
SMALL = "planes=(540, 2160), rates_hz=(1e4, 1e6), batches=(1, 64)"
TOLD = "print(grid.settings, grid.wall_s, grid.processor_s, 'torch' in sys.modules)"


def least_s(run: Callable[[int], object], rounds: int) -> float:
    """Return the shortest of some runs, each told its number."""
    taken = []
    for number in range(rounds):
        begun_s = time.perf_counter()
        run(number)
        taken.append(time.perf_counter() - begun_s)
    return min(taken)


def test_a_grid_of_what_ifs() -> None:
    # A process of its own has planned nothing, and tells whether torch was loaded.
    sizes = "" if FULL else f", {SMALL}"
    code = f"import sys, what_ifs; grid = what_ifs.fill('convsharevit_72'{sizes}); {TOLD}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, env=environment(FOLDER),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    settings, wall, processor, torch = done.stdout.split()
    assert torch == "False"
    assert int(settings) == (1040 if FULL else 16)
    each_s = float(processor) / int(settings)

    def planned(number: int) -> object:
        # A batch that no one has asked for: 82 tokens an image and one more each time.
        shape = ConvShape(
            batch=82 * 64 + number, in_channels=1, out_channels=192, size=(8, 8), kernel=(8, 8)
        )
        return plan(shape, (2160, 2160), passes=2)

    graph = zoo.build("convsharevit_72")
    card = catalog.device("nvidia-rtx-4090")
    rounds = 20 if FULL else 3
    plan_s = least_s(planned, rounds)
    card_s = least_s(lambda number: card.graph_cost(graph, "fp16", 1000 + number), rounds)
    print(
        f"\n{int(settings):,} what-ifs: {float(wall):.2f} s, on the processor "
        f"{float(processor):.2f} s, {1e3 * each_s:.2f} ms each; {each_s / plan_s:.1f} x one new "
        f"plan ({1e3 * plan_s:.2f} ms), {each_s / card_s:.1f} x a card's time of the model "
        f"({1e3 * card_s:.2f} ms)"
    )
